// Many peers in one namespace, played by one process.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { inNamespace } from '../../lab/fabric.ts';
import { eventually } from '../../lab/wait.ts';
import type { MemberState } from './member.ts';

/** `count` prefixes of /24 from an address on. */
export type Routes = { readonly first: number; readonly count: number };

export const NO_ROUTES: Routes = { first: 0, count: 0 };

export type Order =
  | {
      readonly kind: 'create';
      readonly holdTimeSeconds: number;
      readonly members: readonly {
        readonly address: string;
        readonly asn: number;
        readonly routes: Routes;
      }[];
    }
  | { readonly kind: 'dial'; readonly addresses: readonly string[]; readonly target: string }
  | { readonly kind: 'listen'; readonly addresses: readonly string[] }
  | { readonly kind: 'pause' | 'resume' | 'calm'; readonly address: string }
  | {
      readonly kind: 'announce';
      readonly address: string;
      readonly routes: Routes;
      readonly version: number;
    }
  | { readonly kind: 'flood'; readonly address: string; readonly routes: Routes }
  | {
      readonly kind: 'pester';
      readonly address: string;
      readonly target: string;
      readonly count: number;
      readonly manner: 'scan' | 'silent' | 'nonsense';
    }
  | { readonly kind: 'state' }
  /** Drops all members. */
  | { readonly kind: 'close' };

export class Herd {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: ((line: string) => void)[] = [];

  constructor(namespace: string) {
    const [program = '', ...args] = inNamespace(namespace, [
      'setpriv',
      '--pdeathsig',
      'KILL',
      'node',
      `${import.meta.dirname}/main.ts`,
    ]);
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new Error('Cannot read from the herd');
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#lines.on('line', (line) => this.#waiting.shift()?.(line));
    this.#lines.on('close', () => {
      for (const answer of this.#waiting) answer('{"problem":"the herd is gone"}');
    });
  }

  async order(order: Order): Promise<Readonly<Record<string, unknown>>> {
    const line = await new Promise<string>((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    });
    const answer = JSON.parse(line) as Record<string, unknown>;
    if (answer['problem'] !== undefined)
      throw new Error(`Cannot carry out "${order.kind}": ${JSON.stringify(answer['problem'])}`);
    return answer;
  }

  async members(): Promise<readonly MemberState[]> {
    const { members } = await this.order({ kind: 'state' });
    return members as readonly MemberState[];
  }

  async member(address: string): Promise<MemberState> {
    const found = (await this.members()).find((each) => each.address === address);
    if (found === undefined) throw new Error(`Cannot find member "${address}"`);
    return found;
  }

  /** Waits until all members are as wanted; answers them. */
  async become(
    isWanted: (member: MemberState) => boolean,
    timeoutMs: number,
    describe: () => string,
  ): Promise<readonly MemberState[]> {
    let members: readonly MemberState[] = [];
    await eventually(
      async () => {
        members = await this.members();
        return members.every(isWanted);
      },
      timeoutMs,
      () => {
        const others = members.filter((member) => !isWanted(member));
        return `${others.length} of ${members.length} members are not there: ${JSON.stringify(others.slice(0, 3))}\n${describe()}`;
      },
    );
    return members;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    this.#child.kill('SIGKILL');
    await ended;
    this.#lines.close();
  }
}
