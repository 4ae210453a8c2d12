// Arbitrary rulesets that use every statement, field and key type, in the form in which nft lists them.
import { addressBits, type Family, formatAddress } from '@calico/ip';
import {
  type BaseChain,
  type Chain,
  type CounterRef,
  type ElementValue,
  type Field,
  type NamedSet,
  type Rule,
  type Ruleset,
  ruleText,
  type Statement,
  type Verdict,
} from '@calico/nftables';
import * as fc from 'fast-check';
import { LOOKUPS, net4, net6, octet, ports, SETS, type SetShape } from './random_sets.ts';

const PLAIN = { noNullPrototype: true } as const;
const TRANSPORTS = ['tcp', 'udp', 'sctp', 'udplite'] as const;
const REGULAR = ['policy/a', 'policy/b', 'tier-1', 'x.y_z'] as const;

const comment = fc.oneof(
  fc.constant(undefined),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', minLength: 100, maxLength: 150 }),
);

const final = fc.constantFrom<Verdict>('accept', 'drop', 'return');
// Only forward, or the kernel would find loops.
const jump = (from: number): fc.Arbitrary<Verdict> =>
  from + 1 >= REGULAR.length
    ? final
    : fc
        .tuple(fc.constantFrom('jump', 'goto'), fc.constantFrom(...REGULAR.slice(from + 1)))
        .map(([kind, target]): Verdict => `${kind} ${target}`);

function match(field: fc.Arbitrary<Field>, value: fc.Arbitrary<string>): fc.Arbitrary<Statement> {
  return fc.record(
    {
      kind: fc.constant('match' as const),
      fields: field.map((one) => [one]),
      operator: fc.constantFrom('==', '!='),
      value,
    },
    PLAIN,
  );
}

const concatenation = (fields: Field[], value: string): fc.Arbitrary<Statement> =>
  fc.constantFrom('==', '!=').map((operator) => ({ kind: 'match', fields, operator, value }));

function isWritable(statements: readonly Statement[]): boolean {
  try {
    ruleText({ statements });
    return true;
  } catch {
    return false;
  }
}

const interfaces = match(
  fc.constantFrom('iifname', 'oifname'),
  fc.constantFrom('cali*', 'eth0', 'vxlan.calico'),
);
const from4 = match(
  fc.constantFrom('ip saddr', 'ip daddr'),
  fc.oneof(net4, fc.constantFrom('@set/ip4', '@set/net4')),
);
const from6 = match(
  fc.constantFrom('ip6 saddr', 'ip6 daddr'),
  fc.oneof(net6, fc.constantFrom('@set/ip6', '@set/net6')),
);
const masked = (family: Family, fields: readonly Field[]): fc.Arbitrary<Field> =>
  fc
    .tuple(fc.constantFrom(...fields), fc.integer({ min: 1, max: addressBits(family) - 1 }))
    .map(([field, length]) => {
      const zeros = BigInt(addressBits(family) - length);
      const mask = formatAddress({ family, value: ((1n << BigInt(length)) - 1n) << zeros });
      return `${field} & ${mask}` as Field;
    });
const masked4 = match(masked(4, ['ip saddr', 'ip daddr']), fc.constant('@set/ip4'));
const masked6 = match(masked(6, ['ip6 saddr', 'ip6 daddr']), fc.constant('@set/net6'));
const spoofed4 = concatenation(['iifname', 'ip saddr'], '@source4');
const spoofed6 = concatenation(['iifname', 'ip6 saddr'], '@source6');
// At most one match per field, in the order of the header; not two negated single values.
const transport = fc.constantFrom(...TRANSPORTS).chain((protocol) =>
  fc
    .tuple(
      fc.option(
        match(fc.constant<Field>(`${protocol} sport`), fc.oneof(ports, fc.constant('@set/ports'))),
      ),
      match(fc.constant<Field>(`${protocol} dport`), fc.constantFrom('22', '80-90', '@set/ports')),
      fc.option(concatenation(['ip daddr', `${protocol} dport`], '@named-ports')),
    )
    .map((all) => all.filter((one) => one !== null))
    .filter(isWritable),
);
const lookups = fc.constantFrom(
  ...Object.entries(LOOKUPS).map(
    ([map, { fields }]): Statement => ({ kind: 'counter-map', fields, map }),
  ),
);
const number8 = fc.integer({ min: 0, max: 255 }).map(String);
const icmp = (name: 'icmp' | 'icmpv6'): fc.Arbitrary<Statement[]> =>
  fc
    .tuple(
      match(fc.constant<Field>(`${name} type`), number8),
      fc.option(match(fc.constant<Field>(`${name} code`), number8)),
    )
    .map(([type, code]) => (code === null ? [type] : [type, code]))
    .filter(isWritable);
const protocol = match(
  fc.constant('meta l4proto'),
  fc.constantFrom('6', '17', '4', '41', '132', '136', '253'),
);
const bits = fc.constantFrom(0x10000, 0x80000000, 0x30000);
const marks = fc.record(
  {
    kind: fc.constantFrom('match-mark', 'match-connection-mark', 'set-mark'),
    bits,
    set: fc.boolean(),
  },
  PLAIN,
);
const states = fc
  .constantFrom('established,related', 'invalid', 'new', 'invalid,new,untracked')
  .map((value): Statement => ({ kind: 'match', fields: ['ct state'], operator: '==', value }));
const translated: fc.Arbitrary<Statement> = fc.constant({
  kind: 'match',
  fields: ['ct status'],
  operator: '==',
  value: 'dnat',
});
const fib = match(
  fc.constantFrom('fib daddr type', 'fib saddr type'),
  fc.constantFrom('local', 'unicast', 'multicast'),
);
const log = fc
  .string({ minLength: 1, maxLength: 60 })
  .chain((prefix) =>
    fc.constantFrom<Statement>({ kind: 'log', prefix }, { kind: 'log', prefix, group: 3 }),
  );

/** One family per rule; protocol fields never follow the match that they imply. */
const matches = fc.oneof(
  fc
    .tuple(
      fc.array(fc.oneof(from4, masked4), { maxLength: 2 }),
      fc.oneof(transport, fc.array(protocol, { maxLength: 1 })),
    )
    .map((all) => all.flat()),
  fc
    .tuple(
      fc.array(fc.oneof(from6, masked6), { maxLength: 2 }),
      fc.array(protocol, { maxLength: 1 }),
    )
    .map((all) => all.flat()),
  fc.tuple(fc.oneof(spoofed4, spoofed6), fc.array(fib, { maxLength: 1 })).map((all) => all.flat()),
  icmp('icmp'),
  icmp('icmpv6'),
  lookups.map((one) => [one]),
  match(fc.constant('meta nfproto'), fc.constantFrom('ipv4', 'ipv6')).map((one) => [one]),
);

const rule = (from: number): fc.Arbitrary<Rule> =>
  fc
    .tuple(
      fc.array(fc.oneof(interfaces, states, translated, marks), { maxLength: 2 }),
      matches,
      fc.array(fc.oneof(log, marks, fc.constant<Statement>({ kind: 'counter' })), { maxLength: 2 }),
      fc.option(fc.oneof(final, jump(from))),
      comment,
    )
    .map(
      ([first, middle, last, verdict, text]): Rule => ({
        statements: [
          ...first,
          ...middle,
          ...last,
          ...(verdict === null ? [] : [{ kind: 'verdict', verdict } as const]),
        ],
        comment: text,
      }),
    )
    .filter(({ statements }) => statements.length > 0);

const base = fc.constantFrom<BaseChain>(
  { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
  { type: 'filter', hook: 'forward', priority: 1, policy: 'drop' },
  { type: 'filter', hook: 'prerouting', priority: -300, policy: 'accept' },
  { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' },
);
const dispatch: Rule = { statements: [{ kind: 'verdict-map', field: 'iifname', map: 'set/from' }] };
const classDispatch: Rule = {
  statements: [
    { kind: 'class-verdict-map', field: 'iifname', classes: 'classes/from', map: 'set/from' },
  ],
  comment: 'by class',
};
const masquerade: Rule = {
  statements: [
    // The kernel refuses this field in chains that can be reached before routing.
    { kind: 'match', fields: ['fib saddr . oif type'], operator: '!=', value: 'local' },
    { kind: 'masquerade' },
  ],
  comment: 'masquerade',
};
const overTcp = (statement: Statement): Rule => ({
  statements: [{ kind: 'match', fields: ['meta l4proto'], operator: '==', value: '6' }, statement],
});
const translations: readonly Rule[] = [
  overTcp({ kind: 'masquerade', ports: '1024-2047' }),
  { statements: [{ kind: 'snat', address: '192.0.2.5' }] },
  { statements: [{ kind: 'snat', address: '2001:db8::5' }] },
  overTcp({ kind: 'snat', address: '192.0.2.5', ports: '1024-2047' }),
  overTcp({ kind: 'snat', address: '2001:db8::5', ports: '80-81' }),
];
const rejections: readonly Rule[] = [
  overTcp({ kind: 'reject', with: 'tcp reset' }),
  { statements: [{ kind: 'reject', with: 'port-unreachable' }] },
  { statements: [{ kind: 'reject', with: 'admin-prohibited' }] },
];
const notrack: Rule = { statements: [{ kind: 'notrack' }] };

const chains = fc
  .tuple(...REGULAR.map((_, index) => fc.array(rule(index), { maxLength: 4 })), base, fc.boolean())
  .map((parts): ReadonlyMap<string, Chain> => {
    const all = new Map<string, Chain>();
    for (const [index, name] of REGULAR.entries()) all.set(name, { rules: parts[index] as Rule[] });
    const hook = parts[REGULAR.length] as BaseChain;
    const special =
      hook.type === 'nat'
        ? [masquerade, ...translations]
        : hook.hook === 'prerouting'
          ? [notrack, dispatch, classDispatch]
          : [classDispatch, dispatch, ...rejections];
    all.set(`hook.${hook.hook}`, { base: hook, comment: 'a "hook"', rules: special });
    return all;
  });

function elementsOf(name: string, { kind, element }: SetShape): fc.Arbitrary<NamedSet['elements']> {
  const values: Partial<Record<NamedSet['kind'], fc.Arbitrary<ElementValue>>> = {
    'verdict-map': fc.oneof(final, jump(-1)),
    'class-map': octet.map((n): ElementValue => `class cali${n}`),
  };
  const verdict = values[kind] ?? fc.constant(undefined);
  const unique = fc.uniqueArray(fc.tuple(element, verdict), {
    selector: ([text]) => text,
    maxLength: 8,
  });
  return unique.map((all) => new Map(all)).filter(() => name !== '');
}

const sets = fc
  .tuple(
    ...Object.entries(SETS).map(([name, shape]) =>
      fc.tuple(elementsOf(name, shape), comment).map(([elements, text]): [string, NamedSet] => {
        const { kind, key, interval } = shape;
        // A set keeps its comment for life.
        return [
          name,
          {
            kind,
            key,
            interval,
            comment: text === undefined ? undefined : `set ${name}`,
            elements,
          },
        ];
      }),
    ),
  )
  .map((all) => new Map(all));

const lookupMaps = fc
  .tuple(
    ...Object.entries(LOOKUPS).map(([name, { kind, key, interval, element }]) =>
      fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1 }).chain((rules) => {
        const value = fc.constantFrom(...rules.map((one): CounterRef => `counter ${name}/${one}`));
        return fc
          .uniqueArray(fc.tuple(element, value), { selector: ([text]) => text, maxLength: 8 })
          .map((all): [string, NamedSet] => {
            const counters = new Map(rules.map((one) => [`${name}/${one}`, `rule ${one}`]));
            return [name, { kind, key, interval, elements: new Map(all), counters }];
          });
      }),
    ),
  )
  .map((all) => new Map(all));

export const rulesets: fc.Arbitrary<Ruleset> = fc.record(
  {
    chains,
    sets: fc.tuple(sets, lookupMaps).map(([own, maps]) => new Map([...own, ...maps])),
  },
  PLAIN,
);
