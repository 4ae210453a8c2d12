// SHA-1 without a runtime's crypto module: the pure floors may not import one.
// FIPS 180-4, sections 4.1.1, 4.2.1, 5.1.1, 5.3.1 and 6.1. For names only, not for security.

const BLOCK_BYTES = 64;

/** SHA-1 of `bytes`: 20 bytes. */
export function sha1(bytes: Uint8Array): Uint8Array {
  const message = pad(bytes);
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const schedule = new Uint32Array(80);
  for (let at = 0; at < message.byteLength; at += BLOCK_BYTES) {
    fillSchedule(schedule, message, at);
    mixBlock(state, schedule);
  }
  const out = new DataView(new ArrayBuffer(20));
  for (const [index, word] of state.entries()) out.setUint32(4 * index, word);
  return new Uint8Array(out.buffer);
}

/** One bit, zeros, and the length in bits as 64 bits: section 5.1.1. */
function pad(bytes: Uint8Array): DataView {
  const blocks = Math.ceil((bytes.length + 9) / BLOCK_BYTES);
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(bytes.length) * 8n);
  return view;
}

function fillSchedule(schedule: Uint32Array, message: DataView, at: number): void {
  for (let t = 0; t < 16; t++) schedule[t] = message.getUint32(at + 4 * t);
  for (let t = 16; t < 80; t++) {
    const word = (back: number) => schedule[t - back] ?? 0;
    schedule[t] = rotate(word(3) ^ word(8) ^ word(14) ^ word(16), 1);
  }
}

function mixBlock(state: Uint32Array, schedule: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = state;
  for (const [t, word] of schedule.entries()) {
    const next = (rotate(a, 5) + mix(t, b, c, d) + e + constant(t) + word) >>> 0;
    [a, b, c, d, e] = [next, a, rotate(b, 30), c, d];
  }
  for (const [index, value] of [a, b, c, d, e].entries()) {
    state[index] = (state[index] ?? 0) + value;
  }
}

function mix(t: number, b: number, c: number, d: number): number {
  if (t < 20) return (b & c) ^ (~b & d);
  if (t >= 40 && t < 60) return (b & c) ^ (b & d) ^ (c & d);
  return b ^ c ^ d;
}

function constant(t: number): number {
  if (t < 20) return 0x5a827999;
  if (t < 40) return 0x6ed9eba1;
  return t < 60 ? 0x8f1bbcdc : 0xca62c1d6;
}

function rotate(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}
