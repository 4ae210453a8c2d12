// gRPC's length-prefixed message: a byte that says whether it is compressed, the length, the message.
const PREFIX_BYTES = 5;

export function frameOf(message: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/** The one message of an answer. @throws RangeError */
export function messageOf(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  const frame = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, length);
  if (frame.length < PREFIX_BYTES) throw new RangeError('the answer holds no message');
  if (frame[0] !== 0) throw new RangeError('the answer is compressed');
  const said = new DataView(frame.buffer, frame.byteOffset).getUint32(1);
  if (frame.length !== PREFIX_BYTES + said) {
    throw new RangeError(`the answer has ${frame.length} bytes, its frame ${said}`);
  }
  return frame.subarray(PREFIX_BYTES);
}
