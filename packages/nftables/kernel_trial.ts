// What of a packet filter this kernel cannot do, by trying: each feature goes into one batch, whose last command is
// impossible, so that the kernel says what it thinks of every command and carries out none.
import { systemLibc } from '@calico/netlink';
import { BatchSocket } from './batch_socket.ts';
import type { Command, Field, KeyType, NamedSet, Statement } from './ruleset.ts';

/** What the filter of a node is made of, by the name by which people look for it. */
export const FILTER_FEATURES = [
  'family inet',
  'filter chains',
  'nat chains',
  'sets of ranges',
  'sets of ranges over several fields',
  'verdict maps',
  'counter maps',
  'class maps',
  'ct',
  'fib',
  'log',
  'log for programs',
  'masquerade',
  'snat',
  'snat of IPv6',
  'notrack',
  'reject',
] as const;

export type FilterFeature = (typeof FILTER_FEATURES)[number];

const TABLE = 'calico-trial';
const CHAIN = 'trial/chain';

/**
 * What is missing, with the kernel's reason ("ENOENT"), in the network namespace of this process. Modules may be
 * loaded by it. Throws NftablesError when the kernel cannot be asked (EPERM: not root; EOPNOTSUPP: no nf_tables).
 */
export function missingFilterFeatures(): ReadonlyMap<FilterFeature, string> {
  const trials = FILTER_FEATURES.flatMap((feature) =>
    COMMANDS[feature].map((command) => ({ feature, command })),
  );
  const socket = new BatchSocket(systemLibc());
  try {
    const commands = trials.map(({ command }) => command);
    const refused = socket.refused(TABLE, commands);
    const found = trials.flatMap(({ feature, command }) => {
      const reason = refused.get(command);
      return reason === undefined ? [] : [[feature, reason] as const];
    });
    // In a table that cannot be made nothing else can be tried.
    const [first] = found;
    return new Map(first?.[0] === 'family inet' ? [first] : found);
  } finally {
    socket.close();
  }
}

const match = (field: Field, value: string): Statement => ({
  kind: 'match',
  fields: [field],
  operator: '==',
  value,
});

const rule = (...statements: Statement[]): Command => ({
  kind: 'add-rule',
  chain: CHAIN,
  rule: { statements },
});

const set = (kind: NamedSet['kind'], interval: boolean, ...key: KeyType[]): Command => ({
  kind: 'add-set',
  name: `trial/${kind}-${key.length}-${String(interval)}`,
  set: { kind, key, interval },
});

/** Without rules, and it lets everything pass. */
const base = (type: 'filter' | 'nat', hook: 'forward' | 'postrouting'): Command => ({
  kind: 'add-chain',
  name: `trial/${type}`,
  chain: { base: { type, hook, priority: 100, policy: 'accept' } },
});

const COMMANDS: Readonly<Record<FilterFeature, readonly Command[]>> = {
  'family inet': [{ kind: 'add-table' }, { kind: 'add-chain', name: CHAIN, chain: {} }],
  'filter chains': [base('filter', 'forward')],
  'nat chains': [base('nat', 'postrouting')],
  'sets of ranges': [set('set', true, 'ipv4_addr')],
  'sets of ranges over several fields': [set('set', true, 'ipv4_addr', 'inet_service')],
  'verdict maps': [set('verdict-map', false, 'ifname')],
  'counter maps': [
    set('counter-map', false, 'ipv4_addr'),
    { kind: 'add-counter', name: 'trial/counter', comment: '' },
  ],
  'class maps': [set('class-map', false, 'ipv4_addr')],
  ct: [rule(match('ct state', 'established,related'))],
  fib: [rule(match('fib daddr type', 'local'))],
  log: [rule({ kind: 'log', prefix: 'trial' })],
  'log for programs': [rule({ kind: 'log', prefix: 'trial', group: 3 })],
  masquerade: [rule({ kind: 'masquerade' })],
  snat: [rule(match('ip saddr', '192.0.2.1'), { kind: 'snat', address: '192.0.2.2' })],
  'snat of IPv6': [
    rule(match('ip6 saddr', '2001:db8::1'), { kind: 'snat', address: '2001:db8::2' }),
  ],
  notrack: [rule({ kind: 'notrack' })],
  reject: [rule({ kind: 'reject', with: 'port-unreachable' })],
};
