import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FILTER_FEATURES } from '@calico/nftables';
import {
  checkSystem,
  formatConclusion,
  formatFindings,
  type SystemFacts,
} from './system_requirements.ts';

const ALL = ['veth', 'nf_tables', 'nf_conntrack', 'vxlan'];
const GOOD: SystemFacts = {
  release: '6.1.0-31-amd64',
  isRoot: true,
  configuration: undefined,
  loaded: new Set(ALL),
  available: new Set(['ipip']),
  filter: new Map(),
};

const wrong = (facts: Partial<SystemFacts>) =>
  checkSystem({ ...GOOD, ...facts }).flatMap(({ subject, verdict }) =>
    verdict === 'ok' ? [] : [`${subject} ${verdict}`],
  );

test('checkSystem() takes what is loaded, can be loaded or is built in', () => {
  assert.deepEqual(wrong({}), []);
  assert.deepEqual(wrong({ available: new Set(), configuration: 'CONFIG_NET_IPIP=y\n' }), []);
  assert.deepEqual(wrong({ loaded: new Set(), available: new Set([...ALL, 'ipip']) }), []);
});

test('checkSystem() tells what cannot be done without from what only some pools need', () => {
  const configuration = '# CONFIG_NET_IPIP is not set\nCONFIG_VXLAN=m\n';
  const loaded = new Set(ALL.filter((name) => name !== 'vxlan' && name !== 'veth'));
  assert.deepEqual(wrong({ configuration, loaded, available: new Set() }), [
    'veth missing',
    'vxlan limited',
    'ipip limited',
  ]);
  assert.deepEqual(wrong({ release: '5.4.0' }), ['kernel 5.4.0 missing']);
  assert.deepEqual(wrong({ isRoot: false }), ['user limited']);
});

test('checkSystem() names what the kernel refuses of the packet filter', () => {
  const filter = new Map([['family inet', 'EOPNOTSUPP'] as const]);
  assert.deepEqual(wrong({ filter }), ['packet filter missing']);
  assert.deepEqual(wrong({ filter: new Map([['log', 'ENOENT']]) }), ['packet filter limited']);
  assert.match(
    formatFindings(checkSystem({ ...GOOD, filter: new Map([...filter, ['log', 'ENOENT']]) })),
    /\n {2}packet filter +family inet refused by the kernel \(EOPNOTSUPP\)\n {2}packet filter +log .*: no rules with action Log\n$/,
  );
  const some = new Map(FILTER_FEATURES.map((feature) => [feature, 'ENOENT']));
  assert.match(formatFindings(checkSystem({ ...GOOD, filter: some })), /: no deniedLog\n/);
  assert.deepEqual(wrong({ filter: 'Cannot ask nf_tables: EPERM' }), ['packet filter unknown']);
});

test('what cannot be known is neither missing nor there', () => {
  const nothing = { loaded: new Set(['veth']), available: new Set<string>() };
  const findings = checkSystem({ ...GOOD, ...nothing });
  const verdicts = findings.map(({ subject, verdict }) => `${subject} ${verdict}`);
  assert.deepEqual(verdicts.slice(1, 4), ['user ok', 'veth ok', 'nf_tables unknown']);
  assert.match(formatFindings(findings), /\n {2}nf_tables +not known\n/);
  assert.equal(
    formatConclusion(findings),
    'Nothing is known to be missing, but this could not be seen: nf_tables, nf_conntrack, vxlan, ipip.\n',
  );
});

test('formatConclusion() of a system of which all is known', () => {
  const meets = 'System meets minimum system requirements to run Calico!';
  assert.equal(formatConclusion(checkSystem(GOOD)), `${meets}\n`);
  const few = checkSystem({ ...GOOD, isRoot: false });
  assert.equal(formatConclusion(few), `${meets} Some features are missing.\n`);
});
