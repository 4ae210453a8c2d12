import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSystem, formatFindings, type SystemFacts } from './system_requirements.ts';

const ALL = [
  'veth',
  'nf_tables',
  'nf_conntrack',
  'nft_ct',
  'nft_nat',
  'nft_masq',
  'nft_log',
  'vxlan',
];
const GOOD: SystemFacts = {
  release: '6.1.0-31-amd64',
  isRoot: true,
  configuration: undefined,
  loaded: new Set(ALL),
  available: new Set(['ipip']),
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

test('checkSystem() does not take for missing what it cannot know', () => {
  const nothing = {
    configuration: undefined,
    loaded: new Set<string>(),
    available: new Set<string>(),
  };
  assert.deepEqual(wrong(nothing), []);
  assert.match(formatFindings(checkSystem({ ...GOOD, ...nothing })), /\n {2}veth +not known\n/);
});
