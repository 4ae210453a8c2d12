import type { PathData } from './path.ts';

/** Sets whose decoded form is kept: those in use just now. A power of two. */
const KEPT = 1_024;

/** Decoded attributes by the number of their set, as far as somebody has asked for them lately. */
export class DecodedSets {
  readonly #ids = new Int32Array(KEPT).fill(-1);
  readonly #data = Array.from<PathData | undefined>({ length: KEPT });

  get(id: number): PathData | undefined {
    const place = id & (KEPT - 1);
    return this.#ids[place] === id ? this.#data[place] : undefined;
  }

  set(id: number, data: PathData): PathData {
    const place = id & (KEPT - 1);
    this.#ids[place] = id;
    this.#data[place] = data;
    return data;
  }

  delete(id: number): void {
    const place = id & (KEPT - 1);
    if (this.#ids[place] !== id) return;
    this.#ids[place] = -1;
    this.#data[place] = undefined;
  }
}
