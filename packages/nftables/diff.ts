// From what the kernel holds to what it should hold, in one transaction.
import { mapOfCounter } from './listed_counters.ts';
import {
  type BaseChain,
  type Chain,
  type Command,
  type ElementValue,
  EMPTY_RULESET,
  type NamedSet,
  type Ruleset,
  type Transaction,
} from './ruleset.ts';
import { plainText, ruleText } from './text.ts';

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The transaction that turns `actual` into `desired`; empty when they are the same. `actual` undefined: there
 * is no table. Parts that are the same object in both are not looked into, so that a ruleset computed from an
 * earlier one by sharing costs what has changed.
 *
 * A chain whose rules differ is written anew as a whole. A chain or set that exists with another type cannot
 * be changed in place: then the table is replaced, still in one transaction. Pure.
 */
export function diff(desired: Ruleset, actual: Ruleset | undefined): Transaction {
  if (actual === undefined) return [{ kind: 'add-table' }, ...changes(desired, EMPTY_RULESET)];
  if (desired === actual) return [];
  if (isCompatible(desired, actual)) return changes(desired, actual);
  return [{ kind: 'delete-table' }, { kind: 'add-table' }, ...changes(desired, EMPTY_RULESET)];
}

function isCompatible(desired: Ruleset, actual: Ruleset): boolean {
  for (const [name, chain] of desired.chains) {
    const found = actual.chains.get(name);
    if (found && found !== chain && !sameBase(chain.base, found.base)) return false;
  }
  for (const [name, set] of desired.sets) {
    const found = actual.sets.get(name);
    if (found && found !== set && !sameSetOptions(set, found)) return false;
  }
  return true;
}

function sameBase(a: BaseChain | undefined, b: BaseChain | undefined): boolean {
  return (
    a === b ||
    (a?.type === b?.type &&
      a?.hook === b?.hook &&
      a?.priority === b?.priority &&
      a?.policy === b?.policy)
  );
}

function sameSetOptions(a: NamedSet, b: NamedSet): boolean {
  return (
    a.kind === b.kind &&
    a.interval === b.interval &&
    a.key.join() === b.key.join() &&
    plainText(a.comment ?? '') === plainText(b.comment ?? '')
  );
}

// What is referred to exists before what refers to it, and goes after it:
// counters, sets, chains, elements, rules; verdicts come last because they name chains.
function changes(desired: Ruleset, actual: Ruleset): Command[] {
  return [
    ...newCounters(desired, actual),
    ...newSets(desired, actual),
    ...newChains(desired, actual),
    ...elementChanges(desired, actual, 'set'),
    ...elementChanges(desired, actual, 'class-map'),
    ...elementChanges(desired, actual, 'counter-map'),
    ...ruleChanges(desired, actual),
    ...elementChanges(desired, actual, 'verdict-map'),
    ...removals(desired, actual),
  ];
}

function* newSets(desired: Ruleset, actual: Ruleset): Iterable<Command> {
  for (const [name, set] of desired.sets) {
    if (actual.sets.has(name)) continue;
    const { kind, key, interval, comment } = set;
    yield { kind: 'add-set', name, set: { kind, key, interval, comment } };
  }
}

function* newCounters(desired: Ruleset, actual: Ruleset): Iterable<Command> {
  const strays = new Set(actual.strayCounters);
  for (const [map, { counters = NONE }] of desired.sets) {
    const known = actual.sets.get(map)?.counters ?? NONE;
    if (known === counters) continue;
    for (const [name, comment] of counters) {
      const isThere = known.has(name) || strays.has(name);
      if (!isThere) yield { kind: 'add-counter', name, comment };
    }
  }
}

function* newChains(desired: Ruleset, actual: Ruleset): Iterable<Command> {
  for (const [name, { base, comment }] of desired.chains) {
    if (!actual.chains.has(name)) yield { kind: 'add-chain', name, chain: { base, comment } };
  }
}

function* elementChanges(
  desired: Ruleset,
  actual: Ruleset,
  kind: NamedSet['kind'],
): Iterable<Command> {
  for (const [name, set] of desired.sets) {
    const found = actual.sets.get(name);
    if (set.kind !== kind || set === found || set.elements === found?.elements) continue;
    const before: NamedSet['elements'] = found?.elements ?? new Map();
    const gone = missingFrom(before, set.elements);
    const added = missingFrom(set.elements, before);
    const target = { set: name, key: set.key, interval: set.interval };
    if (gone.length > 0) yield { kind: 'delete-elements', ...target, elements: gone };
    if (added.length > 0) yield { kind: 'add-elements', ...target, elements: added };
  }
}

/** The elements that `other` lacks or has with another value. */
function missingFrom(
  elements: NamedSet['elements'],
  other: NamedSet['elements'],
): [string, ElementValue][] {
  return [...elements].filter(
    ([element, value]) => !other.has(element) || other.get(element) !== value,
  );
}

function* ruleChanges(desired: Ruleset, actual: Ruleset): Iterable<Command> {
  for (const [name, chain] of desired.chains) {
    const found = actual.chains.get(name);
    if (found && sameRules(chain, found)) continue;
    if (found && found.rules.length > 0) yield { kind: 'flush-chain', name };
    for (const rule of chain.rules) yield { kind: 'add-rule', chain: name, rule };
  }
}

function sameRules(a: Chain, b: Chain): boolean {
  if (a === b || a.rules === b.rules) return true;
  return (
    a.rules.length === b.rules.length &&
    a.rules.every((rule, index) => {
      const other = b.rules[index];
      return other !== undefined && (rule === other || ruleText(rule) === ruleText(other));
    })
  );
}

// Flushed first: chains that go may refer to each other.
function* removals(desired: Ruleset, actual: Ruleset): Iterable<Command> {
  const chains = [...actual.chains].filter(([name]) => !desired.chains.has(name));
  for (const [name, chain] of chains) {
    if (chain.rules.length > 0) yield { kind: 'flush-chain', name };
  }
  const maps = [...actual.sets].filter(([name]) => !desired.sets.has(name));
  for (const [name, set] of maps) {
    if (set.kind === 'verdict-map') yield { kind: 'delete-set', name };
  }
  for (const [name] of chains) yield { kind: 'delete-chain', name };
  for (const [name, set] of maps) {
    if (set.kind !== 'verdict-map') yield { kind: 'delete-set', name };
  }
  yield* counterRemovals(desired, actual);
}

function* counterRemovals(desired: Ruleset, actual: Ruleset): Iterable<Command> {
  for (const [map, { counters = NONE }] of actual.sets) {
    const wanted = desired.sets.get(map)?.counters ?? NONE;
    if (wanted === counters) continue;
    for (const name of counters.keys()) {
      if (!wanted.has(name)) yield { kind: 'delete-counter', name };
    }
  }
  for (const name of actual.strayCounters ?? []) {
    const isWanted = desired.sets.get(mapOfCounter(name))?.counters?.has(name);
    if (isWanted !== true) yield { kind: 'delete-counter', name };
  }
}
