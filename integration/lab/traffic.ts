// Pings that go on while something else happens.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { inNamespace } from './fabric.ts';
import { eventually } from './wait.ts';

/** A request may be answered after the one that was sent next. */
const LATE_MS = 2_000;

export class Traffic {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  /** When the requests were answered, in milliseconds since the epoch, by their numbers from 1 on. */
  readonly #answered = new Map<number, number>();
  #last = 0;

  private constructor(namespace: string, address: string, intervalSeconds: number) {
    const words = ['ping', '-n', '-i', `${intervalSeconds}`, address];
    const [program = '', ...args] = inNamespace(namespace, words);
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#closed = once(this.#child, 'close');
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#note(/bytes from .* icmp_seq=(\d+) /.exec(line)?.[1]);
    });
  }

  /** Resolves with the first answer. */
  static async start(
    namespace: string,
    address: string,
    { intervalSeconds = 0.01 } = {},
  ): Promise<Traffic> {
    const traffic = new Traffic(namespace, address, intervalSeconds);
    try {
      await traffic.#answers(1);
    } catch (cause) {
      traffic.#child.kill('SIGKILL');
      throw cause;
    }
    return traffic;
  }

  /** Goes on for some more requests, then ends; answers how many were sent, and which were lost. */
  async stop(): Promise<{ readonly sent: number; readonly lost: readonly number[] }> {
    try {
      await this.#answers(this.#last + 10);
      const sent = this.#last;
      const lost = (): number[] =>
        Array.from({ length: sent }, (_, index) => index + 1).filter(
          (number) => !this.#answered.has(number),
        );
      await eventually(
        () => lost().length === 0,
        LATE_MS,
        () => '',
      ).catch(() => {});
      return { sent, lost: lost() };
    } finally {
      this.#child.kill('SIGKILL');
      await this.#closed;
    }
  }

  /** Between which answers requests were lost, and when these came: to be held against logs. */
  gaps(): string[] {
    const answers = [...this.#answered].toSorted(([a], [b]) => a - b);
    return answers.flatMap(([number, at], index) => {
      const [next, nextAt] = answers[index + 1] ?? [number + 1, at];
      if (next === number + 1) return [];
      return [`no answers between ${number} at ${timeText(at)} and ${next} at ${timeText(nextAt)}`];
    });
  }

  async #answers(number: number): Promise<void> {
    await eventually(
      () => this.#last >= number,
      20_000,
      () => `Cannot ping: "${this.#child.spawnargs.join(' ')}" has ${this.#answered.size} answers`,
      () => this.#child.exitCode !== null,
    );
  }

  #note(text: string | undefined): void {
    if (text === undefined) return;
    const number = Number(text);
    this.#answered.set(number, Date.now());
    this.#last = Math.max(this.#last, number);
  }
}

function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
