import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ManagedProcess } from '../../lab/managed_process.ts';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';

export type ProgramPlan = {
  /** Written into the speaker's directory before each start. */
  readonly files: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  /** Programs that it needs beside it: each is there before the next starts. */
  readonly helpers?: readonly Helper[];
  readonly env?: Readonly<Record<string, string>>;
  readonly isReady: () => Promise<boolean>;
  /** What has to be told to it once it runs. */
  readonly afterStart?: () => Promise<void>;
};

/** It is there when its socket is. */
export type Helper = { readonly command: readonly string[]; readonly socket: string };

/** A daemon's process in the namespace of a speaker. */
export class Program {
  readonly #plan: ProgramPlan;
  readonly #process: ManagedProcess;
  readonly #helpers: readonly ManagedProcess[];
  readonly #directory: string;

  constructor(lab: BgpLab, name: string, plan: ProgramPlan) {
    this.#plan = plan;
    this.#directory = lab.speaker(name).directory;
    const { command, helpers = [], env = {} } = plan;
    this.#process = lab.foreign(name, command, env);
    this.#helpers = helpers.map((helper) => lab.foreign(name, helper.command, env));
  }

  async start(): Promise<void> {
    const { files, isReady, afterStart } = this.#plan;
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(this.#directory, name), text);
    }
    for (const [index, helper] of this.#helpers.entries()) {
      const { socket = '' } = this.#plan.helpers?.[index] ?? {};
      rmSync(socket, { force: true });
      await this.#begin(helper, () => existsSync(socket));
    }
    await this.#begin(this.#process, isReady);
    await afterStart?.();
  }

  async #begin(child: ManagedProcess, isReady: () => boolean | Promise<boolean>): Promise<void> {
    child.start();
    await eventually(
      isReady,
      20_000,
      () => `${child.plan.command[0]} does not start: ${child.log().slice(-3000)}`,
      () => !child.running,
    );
  }

  async kill(): Promise<void> {
    await Promise.all([this.#process, ...this.#helpers].map((each) => each.stop('SIGKILL')));
  }

  signal(signal: NodeJS.Signals): void {
    for (const { pid } of [this.#process, ...this.#helpers]) {
      if (pid !== undefined) process.kill(pid, signal);
    }
  }

  log(): string {
    return this.#process.log();
  }
}
