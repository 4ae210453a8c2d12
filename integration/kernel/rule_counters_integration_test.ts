import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  diff,
  type NamedSet,
  openNftables,
  openRuleCounters,
  type Rule,
  type Ruleset,
} from '@calico/nftables';
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

test('a counter map counts by counters that outlive its elements', { skip: SKIP }, async () => {
  const netns = netnsPath(namespace);
  const counters = openRuleCounters({ table: 'calico', netns });
  const table = openNftables({ table: 'calico', netns });
  const base = { type: 'filter', hook: 'output', priority: 0, policy: 'accept' } as const;
  const lookup: Rule = {
    statements: [
      { kind: 'counter-map', fields: ['ip daddr', 'meta l4proto'], map: 'lookup/1' },
      { kind: 'verdict', verdict: 'accept' },
    ],
  };
  const chains = new Map([['out-1', { base, rules: [lookup, rule('else', { kind: 'counter' })] }]]);
  const holding = (elements: NamedSet['elements'], ...rules: number[]): Ruleset => ({
    chains,
    sets: new Map<string, NamedSet>([
      [
        'lookup/1',
        {
          kind: 'counter-map',
          key: ['ipv4_addr', 'inet_proto'],
          interval: true,
          counters: new Map(rules.map((one) => [`lookup/1/${one}`, `rule ${one}`])),
          elements,
        },
      ],
    ]),
  });
  runIn(namespace, 'ip link set lo up');
  const ping = (address: string): unknown => runIn(namespace, `ping -n -c 1 ${address}`);
  const read = (): string[] =>
    counters
      .read()
      .map(({ chain, counter, comment, packets }) => `${chain}${counter} ${comment} ${packets}`);
  const first = holding(
    new Map([
      ['127.0.0.0-127.0.0.9 . 1', 'counter lookup/1/1'],
      ['127.0.1.0/24 . 1', 'counter lookup/1/2'],
    ]),
    1,
    2,
  );
  await table.commit(diff(first, await table.list()));
  ping('127.0.0.1');
  ping('127.0.1.1');
  // Its answers go to the sender, which is 127.0.0.1.
  const after = ['out-1 else 0', 'lookup/1/1 rule 1 3', 'lookup/1/2 rule 2 1'];
  assert.deepEqual(read(), after);
  const second = holding(new Map([['127.0.0.1 . 1', 'counter lookup/1/1']]), 1);
  await table.commit(diff(second, first));
  ping('127.0.0.1');
  assert.deepEqual(read(), ['out-1 else 0', 'lookup/1/1 rule 1 5']);
  assert.deepEqual(diff(second, await table.list()), []);
  counters.close();
  await table.close();
});
