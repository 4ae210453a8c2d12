import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ManagedProcess } from '../../lab/managed_process.ts';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';

export type ProgramPlan = {
  /** Written into the speaker's directory before each start. */
  readonly files: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly isReady: () => Promise<boolean>;
  /** What has to be told to it once it runs. */
  readonly afterStart?: () => Promise<void>;
};

/** A daemon's process in the namespace of a speaker. */
export class Program {
  readonly #plan: ProgramPlan;
  readonly #process: ManagedProcess;
  readonly #directory: string;

  constructor(lab: BgpLab, name: string, plan: ProgramPlan) {
    this.#plan = plan;
    this.#directory = lab.speaker(name).directory;
    this.#process = lab.foreign(name, plan.command, plan.env ?? {});
  }

  async start(): Promise<void> {
    const { files, isReady, afterStart } = this.#plan;
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(this.#directory, name), text);
    }
    this.#process.start();
    await eventually(
      isReady,
      15_000,
      () => `${this.#plan.command[0]} does not start: ${this.log().slice(-3000)}`,
      () => !this.#process.running,
    );
    await afterStart?.();
  }

  async kill(): Promise<void> {
    await this.#process.stop('SIGKILL');
  }

  log(): string {
    return this.#process.log();
  }
}
