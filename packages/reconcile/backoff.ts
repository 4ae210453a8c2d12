export type BackoffOptions = {
  readonly minMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
};

/** Delays that double from `minMs` to `maxMs`, each cut by up to half at random. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The delay before the next attempt. */
  next(): number {
    const { minMs, maxMs, random } = this.#options;
    const full = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempts++, 30));
    return full * (1 - random() / 2);
  }

  /** An attempt succeeded. */
  reset(): void {
    this.#attempts = 0;
  }
}
