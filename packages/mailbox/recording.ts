// Inputs of a part, recorded as JSON lines and fed to it again: a bug report that runs.
import type { Clock } from '@calico/clock';

/** One input: when it was received, and what. */
export type Recorded<T> = {
  /** Milliseconds of the clock's monotonic time. */
  readonly at: number;
  readonly item: T;
};

export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  /** From 1. */
  readonly line: number;

  constructor(line: number, message: string, options?: ErrorOptions) {
    super(`Cannot replay line ${line}: ${message}`, options);
    this.line = line;
  }
}

/** Passes everything on, after writing it as one JSON line. */
export async function* record<T>(
  source: AsyncIterable<T>,
  clock: Pick<Clock, 'monotonic'>,
  write: (line: string) => void,
): AsyncGenerator<T, void, undefined> {
  for await (const item of source) {
    write(recordLine(clock.monotonic(), item));
    yield item;
  }
}

/** One input as a line with its end, for parts that are not fed by an iterable. */
export function recordLine(at: number, item: unknown): string {
  return `${JSON.stringify({ at, item: toJson(item) })}\n`;
}

/**
 * What was recorded, in order. An unfinished last line (the process died while writing) is left out.
 * Throws RecordingError for any other line that is no record.
 */
export function* replay<T>(text: string): Generator<Recorded<T>, void, undefined> {
  const lines = text.split('\n');
  lines.pop();
  for (const [index, line] of lines.entries()) {
    if (line !== '') yield parseLine<T>(line, index + 1);
  }
}

function parseLine<T>(line: string, number: number): Recorded<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new RecordingError(number, (cause as Error).message, { cause });
  }
  const { at, item } = (value ?? {}) as { at?: unknown; item?: unknown };
  if (typeof at !== 'number') throw new RecordingError(number, 'it has no time "at"');
  try {
    return { at, item: fromJson(item) as T };
  } catch (cause) {
    throw new RecordingError(number, (cause as Error).message, { cause });
  }
}

type Json = unknown;

/** JSON with what domain types need besides: bigint, bytes, maps, sets, undefined. */
export function toJson(value: unknown): Json {
  if (value === undefined) return { $: 'undefined' };
  if (typeof value === 'bigint') return { $: 'bigint', value: value.toString() };
  if (value instanceof Uint8Array) return { $: 'bytes', value: [...value] };
  if (value instanceof Map) {
    return { $: 'map', value: [...value].map(([key, each]) => [toJson(key), toJson(each)]) };
  }
  if (value instanceof Set) return { $: 'set', value: [...value].map(toJson) };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) => [name, toJson(member)]);
  return '$' in value ? { $: 'object', value: entries } : Object.fromEntries(entries);
}

function fromJson(json: Json): unknown {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json !== 'object' || json === null) return json;
  if (!('$' in json)) {
    return Object.fromEntries(Object.entries(json).map(([name, each]) => [name, fromJson(each)]));
  }
  const { $: type, value } = json as { $: unknown; value?: unknown };
  if (type === 'undefined') return undefined;
  if (type === 'bigint') return BigInt(value as string);
  const list = value as unknown[];
  if (type === 'bytes') return Uint8Array.from(list as number[]);
  if (type === 'set') return new Set(list.map(fromJson));
  if (type === 'map') return new Map(list.map((pair) => fromJson(pair) as [unknown, unknown]));
  if (type === 'object') {
    return Object.fromEntries(
      (list as [string, unknown][]).map(([name, each]) => [name, fromJson(each)]),
    );
  }
  throw new TypeError(`its type "${String(type)}" is not known`);
}
