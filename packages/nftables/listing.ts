// What `nft -j list table` prints, as data: libnftables-json(5), with all numbers left numeric.
import { NftablesError } from './errors.ts';
import { withCounters } from './listed_counters.ts';
import { statementsOf } from './listed_statement.ts';
import {
  classRefOf,
  counterRefOf,
  elementText,
  isObject,
  type Json,
  type JsonObject,
  listOf,
  textOf,
  verdictOf,
} from './listed_value.ts';
import type { BaseChain, ElementValue, KeyType, NamedSet, Rule, Ruleset } from './ruleset.ts';

/** The ruleset that a listing describes. Throws NftablesError when it is not a listing. */
export function parseListing(text: string): Ruleset {
  const chains = new Map<string, { base: BaseChain | undefined; rules: Rule[] }>();
  const sets = new Map<string, NamedSet>();
  const counters = new Map<string, string>();
  for (const object of objectsIn(text)) {
    const [[kind, value] = ['', null]] = Object.entries(object);
    if (!isObject(value)) continue;
    const name = textOf(value['name']);
    if (kind === 'chain') chains.set(name, { base: baseOf(value), rules: [] });
    if (kind === 'set' || kind === 'map') sets.set(name, setOf(kind, value));
    if (kind === 'counter') counters.set(name, textOf(value['comment']));
    if (kind === 'rule') chains.get(textOf(value['chain']))?.rules.push(ruleOf(value));
  }
  return { chains, ...withCounters(sets, counters) };
}

function objectsIn(text: string): JsonObject[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new NftablesError('Cannot read the listing of nftables: it is not JSON', { cause });
  }
  const list = isObject(parsed as Json) ? (parsed as JsonObject)['nftables'] : undefined;
  if (!Array.isArray(list)) {
    throw new NftablesError('Cannot read the listing of nftables: it has no "nftables" list');
  }
  return list.filter(isObject);
}

function baseOf(chain: JsonObject): BaseChain | undefined {
  const { type, hook, prio, policy } = chain;
  if (hook === undefined) return undefined;
  return { type, hook, priority: Number(prio), policy: policy ?? 'accept' } as BaseChain;
}

function ruleOf(rule: JsonObject): Rule {
  const { expr, comment } = rule;
  const statements = statementsOf(listOf(expr));
  return typeof comment === 'string' ? { statements, comment } : { statements };
}

const KINDS: Readonly<Record<string, NamedSet['kind']>> = {
  verdict: 'verdict-map',
  counter: 'counter-map',
  'mark . ifname': 'class-map',
};

function setOf(kind: 'set' | 'map', set: JsonObject): NamedSet {
  const { type, flags, comment, elem } = set;
  const known = kind === 'map' ? KINDS[textOf(set['map'])] : undefined;
  const elements = new Map<string, ElementValue>();
  for (const item of listOf(elem)) {
    const [element, value] = known === undefined ? [item] : listOf(item);
    elements.set(elementText(element ?? null), valueOf(known, value));
  }
  return {
    kind: known ?? 'set',
    // A map of other data is none of ours: its key type then makes it differ from any set that is wanted.
    key: keyOf(type, kind === 'map' && known === undefined),
    interval: listOf(flags).includes('interval'),
    ...(typeof comment === 'string' ? { comment } : {}),
    elements,
  };
}

function valueOf(kind: NamedSet['kind'] | undefined, value: Json | undefined): ElementValue {
  if (kind === 'counter-map') return counterRefOf(value);
  return kind === 'class-map' ? classRefOf(value) : verdictOf(value);
}

function keyOf(type: Json | undefined, isForeign: boolean): KeyType[] {
  if (isForeign) return [];
  return (Array.isArray(type) ? type : [type]) as KeyType[];
}
