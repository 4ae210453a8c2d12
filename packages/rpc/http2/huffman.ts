// The code in which headers may be written. https://www.rfc-editor.org/rfc/rfc7541#appendix-B
// It is canonical: by length, then by symbol; so the lengths say it all.

/** Bits of the code of each byte; the last is of the end, which is never written. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
] as const;

const LONGEST = 30;
const END = 256;
/** What a text is filled up with: the first bits of the end's code, less than a byte. */
const MOST_PADDING = 7;

type Row = { readonly first: number; readonly symbols: readonly number[] };

/** By length: the first code, and the symbols that have it and those that follow. */
const rows = canonicalRows();

function canonicalRows(): readonly Row[] {
  const made: Row[] = [];
  let code = 0;
  for (let length = 0; length <= LONGEST; length++) {
    const symbols = LENGTHS.flatMap((bits, symbol) => (bits === length ? [symbol] : []));
    made.push({ first: code, symbols });
    code = (code + symbols.length) * 2;
  }
  return made;
}

/** @throws RangeError when the bytes are no text in this code */
export function decodeHuffman(bytes: Uint8Array): string {
  const text: number[] = [];
  let code = 0;
  let length = 0;
  let isPadding = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >> bit) & 1;
      code = code * 2 + value;
      length++;
      isPadding &&= value === 1;
      const row = rows[length];
      if (row === undefined) throw new RangeError('a code has no end');
      const symbol = row.symbols[code - row.first];
      if (symbol === undefined) continue;
      if (symbol === END) throw new RangeError('a text holds its end');
      text.push(symbol);
      code = 0;
      length = 0;
      isPadding = true;
    }
  }
  if (length > MOST_PADDING || !isPadding) throw new RangeError('a text ends within a code');
  return Buffer.from(text).toString('latin1');
}
