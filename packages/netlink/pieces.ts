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
  let count = 0;
  let start = 0;
  let last = 0;
  const cut = (end: number): void => {
    if (end === start) return;
    view.setUint16(
      last + HEADER.FLAGS,
      view.getUint16(last + HEADER.FLAGS, true) | NLM_F.ACK,
      true,
    );
    datagrams.push(bytes.subarray(start, end));
    ends.push(count);
    start = end;
  };
  for (let at = 0; at < bytes.length; count += 1) {
    const next = at + ((view.getUint32(at + HEADER.LENGTH, true) + 3) & ~3);
    if (next - start > PIECE_BYTES) cut(at);
    last = at;
    at = next;
  }
  cut(bytes.length);
  return { datagrams, ends };
}
