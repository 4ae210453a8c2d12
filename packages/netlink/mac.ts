const PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** "ee:ee:ee:ee:ee:ee" → six bytes. Throws RangeError for anything else. */
export function macBytes(mac: string): Uint8Array {
  if (!PATTERN.test(mac)) {
    throw new RangeError(
      `Cannot encode MAC "${mac}": six bytes as "ee:ee:ee:ee:ee:ee" are expected`,
    );
  }
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}
