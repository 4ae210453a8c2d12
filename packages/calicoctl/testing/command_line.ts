// calicoctl as a test runs it: words in, exit code and both outputs back.
import assert from 'node:assert/strict';
import { runCalicoctl } from '../calicoctl.ts';

export type Ran = { readonly code: number; readonly out: string; readonly err: string };

/** Words that hold no space may be given as one text. */
export type Words = string | readonly string[];

export class CommandLine {
  readonly #environment: () => Readonly<Record<string, string>>;
  #elapsedMs = 0;

  /** @param environment read at every run */
  constructor(environment: () => Readonly<Record<string, string>>) {
    this.#environment = environment;
  }

  async run(words: Words, input = '', environment: Record<string, string> = {}): Promise<Ran> {
    let [out, err] = ['', ''];
    this.#elapsedMs = 0;
    const code = await runCalicoctl(typeof words === 'string' ? words.split(' ') : words, {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      readInput: async () => input,
      environment: { ...this.#environment(), ...environment },
      now: () => 1_000_000,
      elapsedMs: () => (this.#elapsedMs += 42),
    });
    return { code, out, err };
  }

  /** Standard output of a command that must succeed and complain about nothing. */
  async succeeds(words: Words, input = ''): Promise<string> {
    const { code, out, err } = await this.run(words, input);
    assert.deepEqual([code, err], [0, '']);
    return out;
  }

  /** Standard error of a command that must fail. */
  async fails(words: Words, input = ''): Promise<string> {
    const { code, err } = await this.run(words, input);
    assert.equal(code, 1);
    return err;
  }
}
