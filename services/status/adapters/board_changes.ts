// Changes of the board as a stream: what changed since the reader last looked, however slow it is.
import type { Clock } from '@calico/clock';
import type { StatusBoard } from './status_board.ts';

export type BoardChange = {
  readonly nodes: ReadonlySet<string>;
  readonly listChanged: boolean;
};

/** Collects from its construction on. Bounded: all unseen changes of one node are one. */
export class BoardChanges {
  readonly #signal: AbortSignal;
  readonly #stop: () => void;
  readonly #wakeReader = (): void => this.#wake?.();
  #nodes = new Set<string>();
  #listChanged = false;
  #wake: (() => void) | undefined;

  constructor(board: StatusBoard, signal: AbortSignal) {
    this.#signal = signal;
    this.#stop = board.onChange((node) => {
      if (node === undefined) this.#listChanged = true;
      else this.#nodes.add(node);
      this.#wakeReader();
    });
    signal.addEventListener('abort', this.#wakeReader);
  }

  /**
   * What changed since the call before, once something has, or nothing after `waitMs`; undefined when
   * the signal aborts.
   */
  async next(clock: Clock, waitMs: number): Promise<BoardChange | undefined> {
    if (this.#nodes.size === 0 && !this.#listChanged && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimer(waitMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
      this.#wake = undefined;
    }
    if (this.#signal.aborted) return undefined;
    const change = { nodes: this.#nodes, listChanged: this.#listChanged };
    this.#nodes = new Set();
    this.#listChanged = false;
    return change;
  }

  close(): void {
    this.#stop();
    this.#signal.removeEventListener('abort', this.#wakeReader);
  }
}
