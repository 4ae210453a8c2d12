import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { diff, openNftables, openRuleCounters, type Rule } from '@calico/nftables';
import { cannotRun, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const SKIP = cannotRun;
let namespace = '';

before(() => {
  if (SKIP === false) namespace = makeNetns();
});

const rule = (comment: string, ...statements: Rule['statements']): Rule => ({
  statements,
  comment,
});

test('counters of rules with their comments, as the kernel counts', { skip: SKIP }, async () => {
  const netns = netnsPath(namespace);
  const counters = openRuleCounters({ table: 'calico', netns });
  assert.deepEqual(counters.read(), []);
  const table = openNftables({ table: 'calico', netns });
  const base = { type: 'filter', hook: 'output', priority: 0, policy: 'accept' } as const;
  const rules = [
    rule('only matches', { kind: 'match', fields: ['meta l4proto'], operator: '==', value: '1' }),
    rule(
      'icmp',
      { kind: 'match', fields: ['meta l4proto'], operator: '==', value: '1' },
      { kind: 'counter' },
      { kind: 'verdict', verdict: 'accept' },
    ),
    rule('all else', { kind: 'counter' }, { kind: 'verdict', verdict: 'drop' }),
  ];
  await table.commit(
    diff({ chains: new Map([['out-1', { base, rules }]]), sets: new Map() }, undefined),
  );
  runIn(namespace, 'ip link set lo up');
  runIn(namespace, 'ping -n -c 3 -i 0.2 127.0.0.1');
  const read = counters.read();
  // Echo requests and replies, 84 bytes each.
  assert.deepEqual(
    read.map(({ chain, comment }) => `${chain}: ${comment}`),
    ['out-1: icmp', 'out-1: all else'],
  );
  assert.deepEqual([read[0]?.packets, read[0]?.bytes], [6n, 504n]);
  counters.close();
  await table.close();
});
