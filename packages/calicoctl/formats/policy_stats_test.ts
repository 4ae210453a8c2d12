import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { GetStatsResponseSchema } from '@calico/proto/felix/v1/policy';
import { formatPolicyStats, totalsOf } from './policy_stats.ts';

const rule = {
  kind: 'NetworkPolicy',
  namespace: 'default',
  name: 'allow-web',
  direction: 'ingress',
  rule: 1,
  action: 'Allow',
  packets: 3n,
  bytes: 180n,
};
const nodes = [
  create(GetStatsResponseSchema, {
    node: 'n1',
    rules: [
      { direction: 'ingress', description: 'tier default: default action Deny', packets: 1n },
      { description: 'invalid' },
      rule,
      { ...rule, rule: 10 },
      { ...rule, rule: 2, action: 'Deny', packets: 0n, bytes: 0n },
    ],
  }),
  create(GetStatsResponseSchema, { node: 'n2', rules: [rule] }),
];

test('formatPolicyStats() adds up nodes and lists rules in order', () => {
  assert.equal(
    formatPolicyStats(totalsOf(nodes)),
    `KIND            POLICY                              DIRECTION   RULE   ACTION   PACKETS   BYTES
NetworkPolicy   default/allow-web                   ingress     1      Allow    6         360
NetworkPolicy   default/allow-web                   ingress     2      Deny     0         0
NetworkPolicy   default/allow-web                   ingress     10     Allow    3         180
default         tier default: default action Deny   ingress     -      -        1         0
`,
  );
  assert.equal(formatPolicyStats([]), 'No counters found.\n');
});
