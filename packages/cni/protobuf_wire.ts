// Protocol buffers' wire format for the few shapes that felix's contract uses. The generated code with its
// run-time library takes longer to load than this plugin is allowed to run; a test compares the two.

const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;
const encoder = new TextEncoder();
/** A byte order mark is part of the text. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** How a field is written: its number and its shape. */
export type Field =
  | readonly [number: number, shape: 'string' | 'uint32' | 'uint64' | 'bool' | 'strings' | 'map']
  | readonly [number: number, shape: 'messages', message: Message];

/** A message by its fields' names. */
export type Message = Readonly<Record<string, Field>>;

type Values = Readonly<Record<string, unknown>>;

/** Writes the fields that are not at their default. */
export function encodeMessage(message: Message, values: Values): Uint8Array {
  const writer = new Writer();
  writeFields(writer, message, values);
  return writer.bytes();
}

/** Every field of the message, at its default when absent; unknown fields are skipped. Throws RangeError. */
export function decodeMessage(message: Message, bytes: Uint8Array): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const byNumber = new Map<number, readonly [string, Field]>();
  for (const [name, field] of Object.entries(message)) {
    values[name] = defaultOf(field);
    byNumber.set(field[0], [name, field]);
  }
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) {
    const tag = Number(reader.varint());
    const known = byNumber.get(tag >>> 3);
    if (known === undefined || (tag & 7) !== wireOf(known[1])) reader.skip(tag & 7);
    else values[known[0]] = readField(reader, known[1], values[known[0]]);
  }
  return values;
}

function writeFields(writer: Writer, message: Message, values: Values): void {
  for (const [name, field] of Object.entries(message)) {
    const [number, shape] = field;
    const value = values[name];
    if (value === undefined) continue;
    switch (shape) {
      case 'string':
        if (value !== '') writer.bytesField(number, encoder.encode(value as string));
        break;
      case 'uint32':
      case 'uint64':
        if (BigInt(value as number) !== 0n) writer.varintField(number, BigInt(value as number));
        break;
      case 'bool':
        if (value === true) writer.varintField(number, 1n);
        break;
      case 'strings':
        for (const text of value as string[]) writer.bytesField(number, encoder.encode(text));
        break;
      case 'map':
        for (const [key, text] of Object.entries(value as Record<string, string>)) {
          writer.bytesField(number, encodeMessage(ENTRY, { key, value: text }));
        }
        break;
      case 'messages':
        for (const item of value as Values[]) {
          writer.bytesField(number, encodeMessage(field[2], item));
        }
        break;
      default:
        shape satisfies never;
    }
  }
}

const ENTRY: Message = { key: [1, 'string'], value: [2, 'string'] };

function defaultOf([, shape]: Field): unknown {
  switch (shape) {
    case 'string':
      return '';
    case 'uint32':
      return 0;
    case 'uint64':
      return 0n;
    case 'bool':
      return false;
    case 'map':
      return {};
    case 'strings':
    case 'messages':
      return [];
    default:
      return shape satisfies never;
  }
}

function wireOf([, shape]: Field): number {
  return shape === 'uint32' || shape === 'uint64' || shape === 'bool' ? WIRE.VARINT : WIRE.BYTES;
}

function readField(reader: Reader, field: Field, before: unknown): unknown {
  switch (field[1]) {
    case 'string':
      return decoder.decode(reader.bytes());
    case 'uint32':
      return Number(BigInt.asUintN(32, reader.varint()));
    case 'uint64':
      return BigInt.asUintN(64, reader.varint());
    case 'bool':
      return reader.varint() !== 0n;
    case 'strings':
      return [...(before as string[]), decoder.decode(reader.bytes())];
    case 'map': {
      const entry = decodeMessage(ENTRY, reader.bytes());
      return { ...(before as object), [String(entry['key'])]: entry['value'] };
    }
    case 'messages':
      return [...(before as unknown[]), decodeMessage(field[2], reader.bytes())];
    default:
      return field satisfies never;
  }
}

class Writer {
  readonly #bytes: number[] = [];

  varintField(number: number, value: bigint): void {
    this.#varint(BigInt((number << 3) | WIRE.VARINT));
    this.#varint(value);
  }

  bytesField(number: number, bytes: Uint8Array): void {
    this.#varint(BigInt((number << 3) | WIRE.BYTES));
    this.#varint(BigInt(bytes.length));
    for (const byte of bytes) this.#bytes.push(byte);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #varint(value: bigint): void {
    for (let rest = value; ; rest >>= 7n) {
      if (rest < 0x80n) {
        this.#bytes.push(Number(rest));
        return;
      }
      this.#bytes.push(Number(rest & 0x7fn) | 0x80);
    }
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#position];
      if (byte === undefined) throw new RangeError('Cannot decode message: it is truncated');
      this.#position += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('Cannot decode message: a number is longer than 10 bytes');
  }

  bytes(): Uint8Array {
    return this.#take(Number(this.varint()));
  }

  skip(wire: number): void {
    if (wire === WIRE.VARINT) this.varint();
    else if (wire === WIRE.BYTES) this.bytes();
    else if (wire === WIRE.FIXED32) this.#take(4);
    else if (wire === WIRE.FIXED64) this.#take(8);
    else throw new RangeError(`Cannot decode message: wire type ${wire}`);
  }

  #take(length: number): Uint8Array {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw new RangeError('Cannot decode message: it is truncated');
    const bytes = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return bytes;
  }
}
