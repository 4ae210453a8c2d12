// Arbitrary rules of policies: any fields, and many that are alike.
import * as fc from 'fast-check';

export const PLAIN = { noNullPrototype: true } as const;

/** Mostly undefined: a rule with every field set matches nothing. */
export const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
export const often = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: value });
export const selector = fc.constantFrom(
  'all()',
  "role == 'a'",
  "role != 'a'",
  'has(env)',
  "role in {'a','b'} && !has(env)",
  "env == 'y' || role == 'b'",
  'global()',
);
export const namespaceSelector = fc.constantFrom(
  'all()',
  'global()',
  "projectcalico.org/name == 'red'",
  "projectcalico.org/name != 'red'",
);
export const nets = fc.uniqueArray(
  fc.constantFrom('10.65.0.0/24', '10.65.0.1/32', '192.0.2.0/24', '10.65.0.2/31', '0.0.0.0/0'),
  { minLength: 1, maxLength: 3 },
);
export const nets6 = fc.uniqueArray(
  fc.constantFrom('fd00:65::/64', 'fd00:65::1', '2001:db8::/32', '::/0'),
  {
    minLength: 1,
    maxLength: 2,
  },
);
const port = fc.constantFrom<string | number>(80, 53, '80:443', 'http', 'dns', 'other');
const ports = fc.uniqueArray(port, { minLength: 1, maxLength: 3 });
const icmp = fc.record(
  { type: fc.constantFrom(0, 3, 8, 128), code: some(fc.constantFrom(0, 1)) },
  PLAIN,
);

const side = fc.record(
  {
    nets: some(fc.oneof(nets, nets6)),
    notNets: some(fc.oneof(nets, nets6)),
    selector: some(selector),
    notSelector: some(selector),
    namespaceSelector: some(namespaceSelector),
    ports: some(ports),
    notPorts: some(ports),
    serviceAccounts: some(fc.constantFrom({ names: ['web'] }, { selector: 'has(team)' })),
  },
  PLAIN,
);
const sparse = fc.oneof({ weight: 1, arbitrary: fc.constant({}) }, { weight: 2, arbitrary: side });
/** Any fields. */
export const rule = fc.record(
  {
    action: fc.constantFrom('Allow', 'Deny', 'Log', 'Pass'),
    ipVersion: some(fc.constantFrom(4, 6)),
    protocol: often(
      fc.constantFrom('TCP', 'TCP', 'TCP', 'UDP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 47),
    ),
    notProtocol: some(fc.constantFrom('TCP', 'UDP', 'ICMP')),
    icmp: some(icmp),
    notICMP: some(icmp),
    source: sparse,
    destination: sparse,
  },
  PLAIN,
);

const service = fc.constantFrom(
  { services: { name: 'web', namespace: 'red' } },
  { services: { name: 'dns', namespace: 'blue' } },
  { services: { name: 'gone', namespace: 'red' } },
);
/** Rules of one direction, now and then with a service at the far end. */
export const ruleOf = (direction: 'ingress' | 'egress'): typeof rule => {
  const far = direction === 'ingress' ? 'source' : 'destination';
  const named = fc.tuple(rule, service).map(([one, end]) => ({ ...one, [far]: end }));
  return fc.oneof({ weight: 5, arbitrary: rule }, { weight: 1, arbitrary: named });
};

const numbers = fc.uniqueArray(
  fc.constantFrom<string | number>(80, 53, 443, 22, '80:443', '1:52'),
  {
    minLength: 1,
    maxLength: 2,
  },
);
const narrow = fc.constantFrom(
  '10.65.0.0/24',
  '10.65.0.1',
  '10.65.0.2',
  '10.65.0.2/31',
  '10.65.0.4/30',
  '192.0.2.0/24',
  'fd00:65::/64',
  'fd00:65::1',
  'fd00:65::2',
  '2001:db8::/32',
);
const withPorts = fc.constantFrom('TCP', 'TCP', 'UDP');
const destination = fc.record({ ports: numbers }, PLAIN);
const netsOf = fc.record({ nets: fc.uniqueArray(narrow, { minLength: 1, maxLength: 2 }) }, PLAIN);
const chosen = fc.record({ selector }, PLAIN);
/** Rules that differ in one way or the other. */
const KINDS = {
  nets: { source: netsOf },
  'nets and ports': { source: netsOf, protocol: withPorts, destination },
  ports: { protocol: withPorts, destination },
  protocols: { protocol: fc.constantFrom('TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6', 47) },
  destinations: { destination: netsOf, protocol: withPorts },
  selectors: { source: chosen },
  'selectors and ports': { source: chosen, protocol: withPorts, destination },
  'selectors and one wide range': {
    source: chosen,
    protocol: withPorts,
    destination: fc.constant({ ports: ['22:443'] }),
  },
  'nets or ports': { source: fc.oneof(netsOf, fc.constant({})), protocol: withPorts, destination },
} as const;

/** Many of one action that are alike, now and then with another one between them. */
const run = fc
  .tuple(
    fc.constantFrom(...Object.values(KINDS)),
    fc.constantFrom('Allow', 'Allow', 'Deny', 'Pass', 'Log'),
  )
  .chain(([kind, action]) => {
    const alike = fc.record<Record<string, unknown>>(
      { ...kind, action: fc.constant(action) },
      PLAIN,
    );
    const one = fc.oneof({ weight: 19, arbitrary: alike }, { weight: 1, arbitrary: rule });
    return fc.array(one, { minLength: 4, maxLength: 24, size: 'max' });
  });
/** Runs of rules that are alike, one after the other or in turns. */
export const similarRules = fc
  .tuple(fc.array(run, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([runs, isMixed]) => (isMixed ? inTurns(runs) : runs.flat()));

function inTurns<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) =>
    lists.flatMap((list) => list.slice(index, index + 1)),
  ).flat();
}
