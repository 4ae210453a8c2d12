// What the kernel holds after a transaction, with its refusals: the kernel's side as a function, for tests and proofs.
import { countersOf, withCounters } from './listed_counters.ts';
import type { Chain, Command, ElementValue, NamedSet, Ruleset, Transaction } from './ruleset.ts';

type Table = {
  readonly chains: Map<string, Chain>;
  readonly sets: Map<string, NamedSet>;
  readonly counters: Map<string, string>;
};
type Part = Exclude<Command, { kind: 'add-table' | 'delete-table' }>;

/** Undefined: no table. Throws RangeError for what the kernel would refuse. */
export function carriedOut(
  transaction: Transaction,
  before: Ruleset | undefined,
): Ruleset | undefined {
  let table: Table | undefined = before && {
    chains: new Map(before.chains),
    sets: new Map(before.sets),
    counters: new Map(countersOf(before)),
  };
  for (const command of transaction) {
    if (command.kind === 'add-table') table ??= emptyTable();
    else if (table === undefined) throw new RangeError(`Cannot ${command.kind}: there is no table`);
    else if (command.kind === 'delete-table') table = undefined;
    else carryOut(table, command);
  }
  return table && { chains: table.chains, ...withCounters(table.sets, table.counters) };
}

function emptyTable(): Table {
  return { chains: new Map(), sets: new Map(), counters: new Map() };
}

function carryOut(table: Table, command: Part): void {
  const { chains, sets, counters } = table;
  switch (command.kind) {
    case 'add-chain':
      requireNew(chains, command.name);
      chains.set(command.name, { ...command.chain, rules: [] });
      return;
    case 'flush-chain':
      chains.set(command.name, { ...existing(chains, command.name), rules: [] });
      return;
    case 'delete-chain':
      if (existing(chains, command.name).rules.length > 0) {
        throw new RangeError(`Cannot delete chain "${command.name}": it holds rules`);
      }
      chains.delete(command.name);
      break;
    case 'add-rule': {
      const chain = existing(chains, command.chain);
      chains.set(command.chain, { ...chain, rules: [...chain.rules, command.rule] });
      break;
    }
    case 'add-set':
      requireNew(sets, command.name);
      sets.set(command.name, { ...command.set, elements: new Map() });
      return;
    case 'delete-set':
      existing(sets, command.name);
      sets.delete(command.name);
      break;
    case 'add-elements':
    case 'delete-elements':
      changeElements(sets, command);
      break;
    case 'add-counter':
      counters.set(command.name, command.comment);
      return;
    case 'delete-counter':
      existing(counters, command.name);
      counters.delete(command.name);
      break;
    default:
      command satisfies never;
  }
  requireReferences(table);
}

function changeElements(
  sets: Map<string, NamedSet>,
  command: Extract<Part, { kind: 'add-elements' | 'delete-elements' }>,
): void {
  const set = existing(sets, command.set);
  if (command.key.join() !== set.key.join()) {
    throw new RangeError(`Cannot change elements of "${command.set}": its key is another`);
  }
  const elements = new Map(set.elements);
  for (const [element, value] of command.elements) {
    const isAddition = command.kind === 'add-elements';
    if (elements.has(element) === isAddition) {
      throw new RangeError(`Cannot ${command.kind} of "${command.set}": "${element}"`);
    }
    if (isAddition) elements.set(element, value);
    else elements.delete(element);
  }
  sets.set(command.set, { ...set, elements });
}

function requireNew(all: ReadonlyMap<string, unknown>, name: string): void {
  if (all.has(name)) throw new RangeError(`Cannot add "${name}": it exists`);
}

function existing<T>(all: ReadonlyMap<string, T>, name: string): T {
  const found = all.get(name);
  if (found === undefined) throw new RangeError(`Cannot use "${name}": it does not exist`);
  return found;
}

/** Whatever rules and elements name is there. */
function requireReferences({ chains, sets, counters }: Table): void {
  const values: ElementValue[] = [];
  for (const { rules } of chains.values()) {
    for (const statement of rules.flatMap(({ statements }) => statements)) {
      if (statement.kind === 'verdict') values.push(statement.verdict);
      if ('map' in statement) existing(sets, statement.map);
      if ('classes' in statement) existing(sets, statement.classes);
      if (statement.kind === 'match' && statement.value.startsWith('@')) {
        existing(sets, statement.value.slice(1));
      }
    }
  }
  for (const { elements } of sets.values()) values.push(...elements.values());
  for (const value of values) {
    const [kind, target] = value?.split(' ') ?? [];
    if (target === undefined || kind === 'class') continue;
    existing<unknown>(kind === 'counter' ? counters : chains, target);
  }
}
