/** What a command may use of the process that it runs in. Tests pass their own. */
export type Terminal = {
  /** Standard output; the text brings its own line ends. */
  readonly out: (text: string) => void;
  /** Standard error. */
  readonly err: (text: string) => void;
  /** All of standard input. */
  readonly readInput: () => Promise<string>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** Milliseconds since some moment, never going back. */
  readonly elapsedMs: () => number;
};
