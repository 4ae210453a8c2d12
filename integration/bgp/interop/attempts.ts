import type { Rig } from './rig.ts';

/** Runs steps with several daemons at once; a daemon that fails one does not end the others' steps. */
export class Attempts {
  readonly failures = new Map<Rig, unknown>();
  readonly #rigs: readonly Rig[];

  constructor(rigs: readonly Rig[]) {
    this.#rigs = rigs;
  }

  /** Not with those that have failed before. */
  async each(run: (rig: Rig) => Promise<void>, rigs = this.#rigs): Promise<void> {
    await Promise.all(
      rigs
        .filter((rig) => !this.failures.has(rig))
        .map((rig) =>
          run(rig).catch((cause: unknown) => {
            this.failures.set(rig, cause);
          }),
        ),
    );
  }
}
