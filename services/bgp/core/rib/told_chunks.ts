// What one reader of an Adj-RIB-Out has had encoded, kept for others who come to the same place.
import { joinBytes } from '@calico/bgp-wire';
import type { Place } from './out_reader.ts';
import { NOBODY, type Part } from './update_batch.ts';

/** Encoded messages, for whoever is at version `from`. */
export type Chunk = {
  readonly from: number;
  readonly to: Place;
  readonly parts: readonly Part[];
  /** What all get for whom there is no exception. */
  readonly everything: Uint8Array;
  /** Sources for whom there is. */
  readonly exceptions: ReadonlySet<number>;
};

/** So many are kept. */
const CHUNKS = 64;

export class ToldChunks {
  #chunks: Chunk[] = [];

  get isEmpty(): boolean {
    return this.#chunks.length === 0;
  }

  /** For readers that have been told everything up to this version. */
  at(version: number): Chunk | undefined {
    return this.#chunks.find(({ from }) => from === version);
  }

  keep(chunk: Chunk): void {
    this.#chunks.push(chunk);
    if (this.#chunks.length > CHUNKS) this.#chunks.shift();
  }

  /** Whoever were told by them could not be told any more that what goes at this version is gone. */
  dropBefore(version: number): void {
    if (this.#chunks.every(({ to }) => to.version >= version)) return;
    this.#chunks = this.#chunks.filter(({ to }) => to.version >= version);
  }

  clear(): void {
    this.#chunks = [];
  }

  *places(): Generator<Place, void, undefined> {
    for (const { to } of this.#chunks) yield to;
  }
}

export function newChunk(from: number, to: Place, parts: readonly Part[]): Chunk {
  return {
    from,
    to,
    parts,
    everything: joinBytes(bytesOf(parts.filter(({ only }) => only === NOBODY))),
    exceptions: new Set(parts.flatMap(({ except, only }) => [except, only])),
  };
}

/** @param source of the reader: it is not told what it has said itself */
export function bytesFor({ parts, everything, exceptions }: Chunk, source: number): Uint8Array {
  if (!exceptions.has(source)) return everything;
  return joinBytes(
    bytesOf(
      parts.filter(({ except, only }) => except !== source && (only === NOBODY || only === source)),
    ),
  );
}

function bytesOf(parts: readonly Part[]): Uint8Array[] {
  return parts.map(({ bytes }) => bytes);
}
