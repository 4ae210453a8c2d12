// Very many messages are handed over in pieces, and the answer to the last of each says that those before
// have been heard, too.
import { NLM_F } from './uapi.ts';

/**
 * So much the kernel is given at a time: a millisecond of work, and less than every socket's buffer. Many kernels
 * do not interrupt it before it is done, and whoever shares its processor waits, the event loop too.
 */
const PIECE_BYTES = 32 * 1024;
const HEADER = { LENGTH: 0, FLAGS: 6 } as const;

export type Pieces = {
  readonly datagrams: readonly Uint8Array[];
  /** How many messages they have, each together with those before it. */
  readonly ends: readonly number[];
};

/** Whole messages, as many in each piece as fit; the last asks for an answer. */
export function cutIntoPieces(bytes: Uint8Array): Pieces {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const datagrams: Uint8Array[] = [];
  const ends: number[] = [];
  let start = 0;
  let count = 0;
  for (let at = 0, next = 0; at < bytes.length; at = next) {
    next = endOf(view, at);
    count += 1;
    if (next < bytes.length && endOf(view, next) - start <= PIECE_BYTES) continue;
    const flagsAt = at + HEADER.FLAGS;
    view.setUint16(flagsAt, view.getUint16(flagsAt, true) | NLM_F.ACK, true);
    datagrams.push(bytes.subarray(start, next));
    ends.push(count);
    start = next;
  }
  return { datagrams, ends };
}

/** Of the message there, with its padding. */
function endOf(view: DataView, at: number): number {
  return at + ((view.getUint32(at + HEADER.LENGTH, true) + 3) & ~3);
}
