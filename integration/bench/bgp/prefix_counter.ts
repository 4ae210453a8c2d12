// Counts the prefixes that a stream of BGP messages announces, each once, as cheaply as it can.
import { MARKER_BASE, SPACE_BASE, type Space } from './world.ts';

const HEADER = 19;
const MARKERS = 256;
const NOTHING = Buffer.alloc(0);

export class PrefixCounter {
  readonly #shift: number;
  readonly #size: number;
  /** Prefixes of the space, then markers. */
  readonly #seen: Uint8Array;
  #rest: Buffer = NOTHING;
  count = 0;

  constructor({ count, length }: Space) {
    this.#shift = 32 - length;
    this.#size = count;
    this.#seen = new Uint8Array(count + MARKERS);
  }

  /** @param onMessage type of every message that is no UPDATE */
  take(chunk: Buffer, onMessage: (type: number) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const length = ((bytes[at + 16] as number) << 8) | (bytes[at + 17] as number);
      if (bytes.length - at < length) break;
      const type = bytes[at + 18] as number;
      if (type === 2) this.#update(bytes, at + HEADER, at + length);
      else onMessage(type);
      at += length;
    }
    this.#rest = at === bytes.length ? NOTHING : bytes.subarray(at);
  }

  #update(bytes: Buffer, start: number, end: number): void {
    const withdrawn = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
    const attributesAt = start + 2 + withdrawn;
    const attributes = ((bytes[attributesAt] as number) << 8) | (bytes[attributesAt + 1] as number);
    for (let at = attributesAt + 2 + attributes; at < end; ) {
      const length = bytes[at] as number;
      // Host bits may be those of what follows: they are shifted out.
      this.#prefix(at + 5 <= bytes.length ? bytes.readUInt32BE(at + 1) : tail(bytes, at + 1));
      at += 1 + ((length + 7) >> 3);
    }
  }

  #prefix(value: number): void {
    let index = (value - SPACE_BASE) >> this.#shift;
    if (value < SPACE_BASE || index >= this.#size) {
      const marker = (value - MARKER_BASE) >> 8;
      if (value < MARKER_BASE || marker >= MARKERS) return;
      index = this.#size + marker;
    }
    if (this.#seen[index] === 1) return;
    this.#seen[index] = 1;
    this.count += 1;
  }
}

/** A value of which the buffer holds fewer than four bytes. */
function tail(bytes: Buffer, from: number): number {
  let value = 0;
  for (let at = from; at < from + 4; at++) value = value * 256 + (bytes[at] ?? 0);
  return value;
}
