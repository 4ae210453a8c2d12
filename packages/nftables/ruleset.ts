// One nftables table of family inet, as data. Plain values, so that rulesets can be computed, compared, stored
// and evaluated without the kernel. Every text in here is in the form in which nft lists it. Names must not be
// words of nft's language ("in", "ip6", "set" …): one with a "/" or "-" never is.

export type Ruleset = {
  readonly chains: ReadonlyMap<string, Chain>;
  readonly sets: ReadonlyMap<string, NamedSet>;
  /** Found in the kernel, of no counter map; undefined: none. */
  readonly strayCounters?: readonly string[] | undefined;
};

export type Chain = {
  /** Undefined: a regular chain, reached by jump or goto only. */
  readonly base?: BaseChain | undefined;
  /** Not compared: libnftables 1.0.6 does not list it. */
  readonly comment?: string | undefined;
  readonly rules: readonly Rule[];
};

export type BaseChain = {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  /** Lower runs earlier: raw -300, mangle -150, filter 0, srcnat 100. */
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
};

export type Rule = {
  readonly statements: readonly Statement[];
  /** Cut to 127 bytes; a double quote becomes a single one, since nft has no escapes. */
  readonly comment?: string | undefined;
};

export type Verdict = 'accept' | 'drop' | 'return' | `jump ${string}` | `goto ${string}`;

/** Of a counter map: the name of the counter that an element leads to. */
export type CounterRef = `counter ${string}`;

/** Of a class map: a name of at most 15 bytes that elements share, by which a verdict map is asked. */
export type ClassRef = `class ${string}`;

/** What an element of a map stands for; undefined in a set. */
export type ElementValue = Verdict | CounterRef | ClassRef | undefined;

export type Statement =
  /** More than one field: the concatenation is looked up in a set. */
  | {
      readonly kind: 'match';
      readonly fields: readonly Field[];
      readonly operator: '==' | '!=';
      /**
       * "10.0.0.0/8", "80", "8000-8999", "cali*", "established,related" or "@set". Protocol and ICMP numbers
       * are decimal.
       */
      readonly value: string;
    }
  /** Looks the field up in a verdict map; goes on with the next rule when it is not there. */
  | { readonly kind: 'verdict-map'; readonly field: Field; readonly map: string }
  /**
   * Looks the field up in a class map, and its class in a verdict map with names as keys; goes on with the next rule when it is
   * not there. nft lists it as a comparison and a look-up of a constant, which it cannot read again.
   */
  | {
      readonly kind: 'class-verdict-map';
      readonly field: Field;
      readonly classes: string;
      readonly map: string;
    }
  /** Counts the packet by the counter that the map has for the fields; when it has none the rule does not match. */
  | { readonly kind: 'counter-map'; readonly fields: readonly Field[]; readonly map: string }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** Whether all of `bits` are set in the packet's mark, or none. */
  | { readonly kind: 'match-mark'; readonly bits: number; readonly set: boolean }
  /** Sets or clears bits of the packet's mark. */
  | { readonly kind: 'set-mark'; readonly bits: number; readonly set: boolean }
  /** As a comment; and "$" becomes "_". */
  | {
      readonly kind: 'log';
      readonly prefix: string;
      /** NFLOG group that gets the packet; undefined: the kernel's log. */
      readonly group?: number | undefined;
    }
  /** As match-mark, of the mark of the packet's connection. */
  | { readonly kind: 'match-connection-mark'; readonly bits: number; readonly set: boolean }
  | { readonly kind: 'counter' }
  /** With `ports` ("1024-65535") the rule has to match the protocol by `meta l4proto` first. */
  | { readonly kind: 'masquerade'; readonly ports?: string | undefined }
  | { readonly kind: 'snat'; readonly address: string; readonly ports?: string | undefined }
  | { readonly kind: 'notrack' }
  /** "tcp reset" only after a match of `meta l4proto` 6. */
  | { readonly kind: 'reject'; readonly with: RejectAnswer }
  /** Found in the kernel and not understood; never equal to anything that is wanted. */
  | { readonly kind: 'unknown'; readonly json: string };

export type RejectAnswer = 'tcp reset' | 'port-unreachable' | 'admin-prohibited';

export type TransportProtocol = 'tcp' | 'udp' | 'sctp' | 'udplite';

/**
 * What a match looks at. A field of a protocol implies the match of that protocol: nft drops a redundant one
 * from its listing, so a rule must not carry `meta l4proto` 6 before `tcp dport`, nor `meta nfproto` before
 * `ip saddr`.
 */
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
  | `${TransportProtocol | 'th'} ${'sport' | 'dport'}`
  | `${'icmp' | 'icmpv6'} ${'type' | 'code'}`
  | 'ct state'
  | 'ct status'
  | 'fib daddr type'
  | 'fib saddr type'
  | 'fib saddr . oif type';

/** The address under a mask, to be looked up in a set: "ip saddr & 255.255.255.0". */
export type MaskedField = `${'ip' | 'ip6'} ${'saddr' | 'daddr'} & ${string}`;

export type KeyType = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'ifname' | 'mark';

export type NamedSet = {
  readonly kind: 'set' | 'verdict-map' | 'counter-map' | 'class-map';
  /** More than one: a concatenation. */
  readonly key: readonly KeyType[];
  /** Elements may be prefixes and ranges; they must not overlap. */
  readonly interval: boolean;
  readonly comment?: string | undefined;
  /**
   * Keys are elements as nft writes them, parts of a concatenation joined by " . ", names unquoted:
   * "10.0.0.1", "10.0.0.0/8", "80-90", "cali1 . 10.0.0.1". Values are the verdicts, counters or classes of a map.
   */
  readonly elements: ReadonlyMap<string, ElementValue>;
  /**
   * The counters of a counter map, by name: what each counts. A name is that of the map, "/" and a part without "/".
   * Comments are not compared.
   */
  readonly counters?: ReadonlyMap<string, string> | undefined;
};

/** Of a set or map that is made empty. */
export type SetOptions = Omit<NamedSet, 'elements' | 'counters'>;

/** Part of a transaction. Chains and sets are made empty and filled by later commands. */
export type Command =
  | { readonly kind: 'add-table' }
  /** With everything in it. */
  | { readonly kind: 'delete-table' }
  | { readonly kind: 'add-chain'; readonly name: string; readonly chain: Omit<Chain, 'rules'> }
  | { readonly kind: 'flush-chain'; readonly name: string }
  | { readonly kind: 'delete-chain'; readonly name: string }
  | { readonly kind: 'add-rule'; readonly chain: string; readonly rule: Rule }
  | { readonly kind: 'add-set'; readonly name: string; readonly set: SetOptions }
  | { readonly kind: 'delete-set'; readonly name: string }
  | {
      readonly kind: 'add-elements' | 'delete-elements';
      readonly set: string;
      readonly key: readonly KeyType[];
      readonly interval: boolean;
      readonly elements: readonly (readonly [string, ElementValue])[];
    }
  | { readonly kind: 'add-counter'; readonly name: string; readonly comment: string }
  /** No element leads to it any more. */
  | { readonly kind: 'delete-counter'; readonly name: string };

/** Commands that take effect together or not at all; empty: nothing to do. */
export type Transaction = readonly Command[];

export const EMPTY_RULESET: Ruleset = { chains: new Map(), sets: new Map() };
