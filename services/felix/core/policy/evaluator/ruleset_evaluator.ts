// What the kernel would do with a packet, from the ruleset as data. Says which rules decided, by their comments.
import { formatAddress, parsePrefix, prefixContains } from '@calico/ip';
import type {
  Chain,
  Field,
  Match,
  NamedSet,
  Rule,
  Ruleset,
  Statement,
  Verdict,
} from '../compiler/ruleset.ts';
import type { Outcome, Packet } from './packet.ts';

export type Evaluation = {
  readonly outcome: Outcome;
  /** Rules that matched, in order: "chain: comment". */
  readonly trace: readonly string[];
};

/** The base chains of the packet's way, by priority; the first drop ends it. */
export function evaluate(ruleset: Ruleset, packet: Packet): Evaluation {
  const walk = new Walk(ruleset, packet);
  const isKept = hooksOf(packet).every((hook) =>
    [...ruleset.chains]
      .filter(([, { base }]) => base?.type === 'filter' && base.hook === hook)
      .toSorted(([, a], [, b]) => (a.base?.priority ?? 0) - (b.base?.priority ?? 0))
      .every(([name, chain]) => walk.base(name, chain) === 'accept'),
  );
  return { outcome: isKept ? 'accept' : 'drop', trace: walk.trace };
}

function hooksOf({ inputInterface, outputInterface }: Packet): readonly string[] {
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

  constructor(ruleset: Ruleset, packet: Packet) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  base(name: string, chain: Chain): Outcome {
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
    for (const statement of statements) {
      if (statement.kind === 'match' && !this.#matches(statement)) return undefined;
      if (statement.kind === 'match-mark') {
        const expected = statement.set ? statement.bits : 0;
        if ((this.#mark & statement.bits) >>> 0 !== expected) return undefined;
      }
      if (statement.kind === 'set-mark') this.#setMark(statement);
      if (statement.kind === 'verdict-map') {
        const { elements } = this.#set(statement.map);
        const verdict = elements.get(this.#text(statement.field));
        if (verdict === undefined) return undefined;
        this.trace.push(`${chain}: ${comment}`);
        return verdict;
      }
      if (statement.kind === 'verdict') {
        this.trace.push(`${chain}: ${comment}`);
        return statement.verdict;
      }
    }
    return undefined;
  }

  #setMark({ bits, set }: Extract<Statement, { kind: 'set-mark' }>): void {
    this.#mark = (set ? this.#mark | bits : this.#mark & ~bits) >>> 0;
  }

  #matches({ fields, operator, value }: Match): boolean {
    // A field of a header that the packet does not have matches nothing, negated or not.
    if (!fields.every((field) => this.#has(field))) return false;
    const texts = fields.map((field) => this.#text(field));
    const found = value.startsWith('@')
      ? contains(this.#set(value.slice(1)), texts)
      : value.split(',').some((one) => covers(one, texts[0] ?? ''));
    return found === (operator === '==');
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
    const transport: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };
    return (transport[header] ?? protocol) === protocol;
  }

  #text(field: Field): string {
    const { inputInterface, outputInterface, source, destination, ...rest } = this.#packet;
    const [header, part] = field.split(' ');
    if (field === 'iifname') return inputInterface;
    if (field === 'oifname') return outputInterface;
    if (field === 'ct state') return rest.state;
    if (field === 'meta nfproto') return `ipv${source.family}`;
    if (field === 'meta l4proto') return String(rest.protocol);
    if (field === 'fib daddr type') return outputInterface === '' ? 'local' : 'unicast';
    if (header === 'fib') return inputInterface === '' ? 'local' : 'unicast';
    if (part === 'saddr') return formatAddress(source);
    if (part === 'daddr') return formatAddress(destination);
    if (part === 'sport') return String(rest.sourcePort);
    if (part === 'dport') return String(rest.destinationPort);
    return String(part === 'type' ? rest.icmpType : rest.icmpCode);
  }
}

function contains({ elements, interval }: NamedSet, texts: readonly string[]): boolean {
  if (elements.has(texts.join(' . '))) return true;
  if (!interval) return false;
  return [...elements.keys()].some((element) =>
    element.split(' . ').every((part, index) => covers(part, texts[index] ?? '')),
  );
}

/** Whether one value, prefix, range or name with "*" stands for the text. */
function covers(pattern: string, text: string): boolean {
  if (pattern === text) return true;
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1));
  if (pattern.includes('/')) {
    return prefixContains(parsePrefix(pattern), parsePrefix(text));
  }
  const range = /^(\d+)-(\d+)$/.exec(pattern);
  return range !== null && Number(text) >= Number(range[1]) && Number(text) <= Number(range[2]);
}
