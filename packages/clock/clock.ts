/** Time as a port: the core never reads the wall clock or sets a timer by itself. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. */
  now(): number;
  /** Milliseconds from an arbitrary origin. Never goes back. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs`; the answer cancels it. */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export type CancelTimer = () => void;
