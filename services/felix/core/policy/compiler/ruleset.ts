// What compilation makes: one nftables table as data. The part of the packet filter's vocabulary that policy
// needs; the adapter hands it on as it is. Texts are in the form in which nft lists them.

export type Ruleset = {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NamedSet>;
};

export type Chain = {
  readonly base?: BaseChain | undefined;
  readonly comment?: string | undefined;
  readonly rules: readonly Rule[];
};

export type BaseChain = {
  readonly type: 'filter' | 'nat';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
};

export type Rule = { readonly statements: readonly Statement[]; readonly comment: string };

export type Verdict = 'accept' | 'drop' | 'return' | `jump ${string}` | `goto ${string}`;

export type Match = {
  readonly kind: 'match';
  readonly fields: readonly Field[];
  readonly operator: '==' | '!=';
  readonly value: string;
};

export type Statement =
  | Match
  | { readonly kind: 'verdict-map'; readonly field: Field; readonly map: string }
  /** The field's class by the first map, the verdict of that by the second one. */
  | {
      readonly kind: 'class-verdict-map';
      readonly field: Field;
      readonly classes: string;
      readonly map: string;
    }
  /** Matches when the map leads to a counter, which then counts. */
  | { readonly kind: 'counter-map'; readonly fields: readonly Field[]; readonly map: string }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'match-mark'; readonly bits: number; readonly set: boolean }
  | { readonly kind: 'set-mark'; readonly bits: number; readonly set: boolean }
  | { readonly kind: 'log'; readonly prefix: string; readonly group?: number | undefined }
  | { readonly kind: 'match-connection-mark'; readonly bits: number; readonly set: boolean }
  | { readonly kind: 'masquerade'; readonly ports?: string | undefined }
  | { readonly kind: 'snat'; readonly address: string; readonly ports?: string | undefined }
  /** A TCP reset needs a match of `meta l4proto` 6 before it. */
  | { readonly kind: 'reject'; readonly with: 'tcp reset' | 'port-unreachable' }
  | { readonly kind: 'counter' | 'notrack' };

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

export type Field =
  | 'iifname'
  | 'oifname'
  | 'meta nfproto'
  | 'meta l4proto'
  | 'ip saddr'
  | 'ip daddr'
  | 'ip6 saddr'
  | 'ip6 daddr'
  | MaskedField
  | `${PortProtocol | 'th'} ${'sport' | 'dport'}`
  | `${'icmp' | 'icmpv6'} ${'type' | 'code'}`
  | 'ct state'
  | 'ct status'
  | 'fib daddr type'
  | 'fib saddr type'
  | 'fib saddr . oif type';

/** The address under a mask, to be looked up in a set: "ip saddr & 255.255.255.0". */
export type MaskedField = `${'ip' | 'ip6'} ${'saddr' | 'daddr'} & ${string}`;

export type KeyType = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'ifname';

export type CounterRef = `counter ${string}`;
/** At most 15 characters. */
export type ClassRef = `class ${string}`;
export type ElementValue = Verdict | CounterRef | ClassRef | undefined;

export type NamedSet = {
  readonly kind: 'set' | 'verdict-map' | 'counter-map' | 'class-map';
  readonly key: readonly KeyType[];
  readonly interval: boolean;
  readonly comment: string;
  /** Values are the verdicts, counters or classes of a map. */
  readonly elements: ReadonlyMap<string, ElementValue>;
  /** Of a counter map: what each counter counts, by its name, which is that of the map, "/" and a part without "/". */
  readonly counters?: ReadonlyMap<string, string> | undefined;
};

export function match(field: Field, value: string | number): Match {
  return { kind: 'match', fields: [field], operator: '==', value: String(value) };
}

export function mismatch(field: Field, value: string | number): Match {
  return { kind: 'match', fields: [field], operator: '!=', value: String(value) };
}

export function verdict(text: Verdict): Statement {
  return { kind: 'verdict', verdict: text };
}

export const COUNTER: Statement = { kind: 'counter' };
