// What the kernel would do with a packet, from the ruleset as data. Says which rules decided, by their comments.
import { type Address, formatAddress, parseAddress } from '@calico/ip';
import { dispatched } from '../compiler/dispatch.ts';
import type {
  BaseChain,
  Chain,
  Field,
  Match,
  NamedSet,
  Rule,
  Ruleset,
  Statement,
  Verdict,
} from '../compiler/ruleset.ts';
import { covers } from './covers.ts';
import type { Outcome, Packet } from './packet.ts';
import { elementFor, type KeyPart } from './set_index.ts';

export type Evaluation = {
  readonly outcome: Outcome;
  /** Rules that matched, in order: "chain: comment". */
  readonly trace: readonly string[];
};

type Mapped = Extract<Statement, { kind: 'verdict-map' | 'class-verdict-map' }>;
type Counting = Extract<Statement, { kind: 'counter-map' }>;

/** Priority at which the kernel translates destinations (NF_IP_PRI_NAT_DST). */
const TRANSLATION = -100;

type Hook = BaseChain['hook'];
type BaseChains = readonly (readonly [string, Chain])[];
/** Those of each hook by priority. Rulesets are values: what was true of one stays true. */
const baseChains = new WeakMap<Ruleset, ReadonlyMap<Hook, BaseChains>>();

/** The base chains of the packet's way, by priority; the first drop ends it. */
export function evaluate(ruleset: Ruleset, packet: Packet): Evaluation {
  const hooks = filtersOf(ruleset);
  const walk = new Walk(ruleset, packet);
  const isKept = hooksOf(packet).every((hook) =>
    (hooks.get(hook) ?? []).every(([name, chain]) => walk.base(hook, name, chain) === 'accept'),
  );
  return { outcome: isKept ? 'accept' : 'drop', trace: walk.trace };
}

/**
 * What the rule is about this packet: of a look-up the rule of the policy that it finds. Undefined: the packet does not match,
 * whatever the marks are.
 */
export function titleFor(ruleset: Ruleset, rule: Rule, packet: Packet): string | undefined {
  return new Walk(ruleset, packet).title(rule);
}

function filtersOf(ruleset: Ruleset): ReadonlyMap<Hook, BaseChains> {
  const known = baseChains.get(ruleset);
  if (known !== undefined) return known;
  const filters = [...ruleset.chains]
    .filter(([, { base }]) => base?.type === 'filter')
    .toSorted(([, a], [, b]) => (a.base?.priority ?? 0) - (b.base?.priority ?? 0));
  const hooks = Map.groupBy(filters, ([, { base }]) => base?.hook ?? 'forward');
  baseChains.set(ruleset, hooks);
  return hooks;
}

function hooksOf({ inputInterface, outputInterface }: Packet): readonly Hook[] {
  if (inputInterface === '') return ['output', 'postrouting'];
  return outputInterface === ''
    ? ['prerouting', 'input']
    : ['prerouting', 'forward', 'postrouting'];
}

type Final = Outcome | 'return';

class Walk {
  readonly #ruleset: Ruleset;
  readonly #packet: Packet;
  readonly trace: string[] = [];
  #mark = 0;
  #isUntracked = false;
  /** Before destinations are translated. */
  #isEarly = true;

  constructor(ruleset: Ruleset, packet: Packet) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  base(hook: Hook, name: string, chain: Chain): Outcome {
    const isFirst = hook === 'prerouting' || hook === 'output';
    this.#isEarly = isFirst && (chain.base?.priority ?? 0) < TRANSLATION;
    const final = this.#chain(name);
    return final === 'return' ? (chain.base?.policy ?? 'accept') : final;
  }

  #chain(name: string): Final {
    for (const rule of this.#ruleset.chains.get(name)?.rules ?? []) {
      const verdict = this.#rule(name, rule);
      if (verdict === undefined) continue;
      const [kind, target = ''] = verdict.split(' ');
      if (kind === 'goto') return this.#chain(target);
      if (kind !== 'jump') return kind as Final;
      const result = this.#chain(target);
      if (result !== 'return') return result;
    }
    return 'return';
  }

  /** The rule's verdict; undefined: go on with the next rule. */
  #rule(chain: string, { statements, comment }: Rule): Verdict | undefined {
    let title = comment;
    for (const statement of statements) {
      if (statement.kind === 'match' && !this.#matches(statement)) return undefined;
      if (statement.kind === 'match-mark') {
        const expected = statement.set ? statement.bits : 0;
        if ((this.#mark & statement.bits) >>> 0 !== expected) return undefined;
      }
      if (statement.kind === 'match-connection-mark') {
        // An untracked packet has no connection, and so no mark of one.
        if (this.#isUntracked || (this.#packet.isCut === true) !== statement.set) return undefined;
      }
      if (statement.kind === 'set-mark') this.#setMark(statement);
      if (statement.kind === 'notrack') this.#isUntracked = true;
      if (statement.kind === 'reject') {
        this.trace.push(`${chain}: ${title}`);
        return 'drop';
      }
      if (statement.kind === 'verdict-map' || statement.kind === 'class-verdict-map') {
        const verdict = this.#mapped(statement);
        if (verdict === undefined) return undefined;
        this.trace.push(`${chain}: ${comment}`);
        return verdict;
      }
      if (statement.kind === 'counter-map') {
        const counted = this.#counted(statement);
        if (counted === undefined) return undefined;
        title = counted;
      }
      if (statement.kind === 'verdict') {
        this.trace.push(`${chain}: ${title}`);
        return statement.verdict;
      }
    }
    return undefined;
  }

  #mapped(statement: Mapped): Verdict | undefined {
    const text = this.#text(statement.field);
    if (statement.kind === 'class-verdict-map') return dispatched(this.#ruleset, statement, text);
    return this.#set(statement.map).elements.get(text) as Verdict | undefined;
  }

  title({ statements, comment }: Rule): string | undefined {
    let title: string | undefined = comment;
    for (const statement of statements) {
      if (statement.kind === 'match' && !this.#matches(statement)) return undefined;
      if (statement.kind === 'counter-map') title = this.#counted(statement);
    }
    return title;
  }

  /** What the counter that the map leads to counts. */
  #counted({ fields, map }: Counting): string | undefined {
    const set = this.#set(map);
    const element = this.#find(set, fields);
    if (element === undefined) return undefined;
    const [, counter = ''] = set.elements.get(element)?.split(' ') ?? [];
    return set.counters?.get(counter) ?? counter;
  }

  /** A field of a header that the packet does not have leads to nothing. */
  #find(set: NamedSet, fields: readonly Field[]): string | undefined {
    if (!fields.every((field) => this.#has(field))) return undefined;
    return elementFor(
      set,
      fields.map((field): KeyPart => ({ text: this.#text(field), number: this.#number(field) })),
    );
  }

  #setMark({ bits, set }: Extract<Statement, { kind: 'set-mark' }>): void {
    this.#mark = (set ? this.#mark | bits : this.#mark & ~bits) >>> 0;
  }

  #matches({ fields, operator, value }: Match): boolean {
    // A field of a header that the packet does not have matches nothing, negated or not.
    if (!fields.every((field) => this.#has(field))) return false;
    const [field = 'iifname'] = fields;
    const found = value.startsWith('@')
      ? this.#find(this.#set(value.slice(1)), fields) !== undefined
      : value.split(',').some((one) => covers(one, this.#text(field)));
    return found === (operator === '==');
  }

  /** The value of a field that is an address or a number. */
  #number(field: Field | undefined): bigint | undefined {
    const { sourcePort } = this.#packet;
    if (field === 'meta l4proto') return BigInt(this.#packet.protocol);
    const [, part] = field?.split(' ') ?? [];
    if (part === 'saddr' || part === 'daddr') return this.#address(field ?? 'ip saddr').value;
    if (part === 'sport') return BigInt(sourcePort);
    return part === 'dport' ? BigInt(this.#destination().port) : undefined;
  }

  #address(field: Field): Address {
    const [name, mask] = field.split(' & ');
    const address = name?.endsWith('saddr') ? this.#packet.source : this.#destination().destination;
    if (mask === undefined) return address;
    return { ...address, value: address.value & parseAddress(mask).value };
  }

  /** Before routing a packet has the destination that it was sent to. */
  #destination(): NonNullable<Packet['dialled']> {
    const { destination, destinationPort, dialled } = this.#packet;
    return this.#isEarly && dialled ? dialled : { destination, port: destinationPort };
  }

  #set(name: string): NamedSet {
    const set = this.#ruleset.sets.get(name);
    if (set === undefined) throw new RangeError(`Cannot evaluate: there is no set "${name}"`);
    return set;
  }

  #has(field: Field): boolean {
    const { source, protocol } = this.#packet;
    const header = field.split(' ')[0] ?? '';
    if (header === 'ip') return source.family === 4;
    if (header === 'ip6') return source.family === 6;
    if (header === 'icmp') return protocol === 1 && source.family === 4;
    if (header === 'icmpv6') return protocol === 58 && source.family === 6;
    // Only rules about protocols with ports look at them without saying which.
    const transport: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };
    return (transport[header] ?? protocol) === protocol;
  }

  #text(field: Field): string {
    const { inputInterface, outputInterface, source, dialled, ...rest } = this.#packet;
    const [header, part] = field.split(' ');
    if (field === 'iifname') return inputInterface;
    if (field === 'oifname') return outputInterface;
    if (field === 'ct state') return this.#isUntracked ? 'untracked' : rest.state;
    if (field === 'ct status') return dialled === undefined ? '' : 'dnat';
    if (field === 'meta nfproto') return `ipv${source.family}`;
    if (field === 'meta l4proto') return String(rest.protocol);
    if (field === 'fib daddr type') return outputInterface === '' ? 'local' : 'unicast';
    if (header === 'fib') return inputInterface === '' ? 'local' : 'unicast';
    if (part === 'saddr' || part === 'daddr') return formatAddress(this.#address(field));
    if (part === 'sport') return String(rest.sourcePort);
    if (part === 'dport') return String(this.#destination().port);
    return String(part === 'type' ? rest.icmpType : rest.icmpCode);
  }
}
