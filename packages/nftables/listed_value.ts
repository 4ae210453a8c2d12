// Values inside a listing of libnftables: libnftables-json(5).
import type { ClassRef, CounterRef, Verdict } from './ruleset.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Its elements; none when it is not a list. */
export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

/** Strings and numbers as they are, all else as JSON. */
export function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : JSON.stringify(value);
}

/** An element or a value to match, as text: "10.0.0.0/8", "80-90", "cali1 . 10.0.0.1". */
export function elementText(value: Json): string {
  if (!isObject(value)) return textOf(value);
  const { prefix, range, concat, elem } = value;
  if (isObject(prefix)) return `${textOf(prefix['addr'])}/${textOf(prefix['len'])}`;
  if (range !== undefined) return listOf(range).map(elementText).join('-');
  if (concat !== undefined) return listOf(concat).map(elementText).join(' . ');
  // With a comment, counter or timeout, which we never give.
  if (isObject(elem)) return `${elementText(elem['val'] ?? null)} ${JSON.stringify(elem)}`;
  return JSON.stringify(value);
}

/** Undefined: not the name of a counter. */
export function counterRefOf(value: Json | undefined): CounterRef | undefined {
  return typeof value === 'string' ? `counter ${value}` : undefined;
}

/** A class follows a mark of one. Undefined: not a class. */
export function classRefOf(value: Json | undefined): ClassRef | undefined {
  const [mark, name] = isObject(value) ? listOf(value['concat']) : [];
  return mark === 1 && typeof name === 'string' ? `class ${name}` : undefined;
}

/** Undefined: not a verdict. */
export function verdictOf(value: Json | undefined): Verdict | undefined {
  if (!isObject(value)) return undefined;
  const [[kind, target] = ['', null]] = Object.entries(value);
  if (kind === 'accept' || kind === 'drop' || kind === 'return') return kind;
  if ((kind === 'jump' || kind === 'goto') && isObject(target)) {
    return `${kind} ${textOf(target['target'])}`;
  }
  return undefined;
}
