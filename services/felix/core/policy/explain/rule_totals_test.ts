import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COUNTER, type NamedSet, type Ruleset, verdict } from '../compiler/ruleset.ts';
import { type CountedRule, RuleTotals } from './rule_totals.ts';

const LONG = 'x'.repeat(140);

function counting(comment: string) {
  return { statements: [COUNTER, verdict('accept')], comment };
}

function ruleset(chains: Record<string, readonly string[]>): Ruleset {
  return {
    chains: new Map(
      Object.entries(chains).map(([name, comments]) => [name, { rules: comments.map(counting) }]),
    ),
    sets: new Map(),
  };
}

const counted = (chain: string, comment: string, packets: number): CountedRule => ({
  chain,
  counter: '',
  comment,
  packets: BigInt(packets),
  bytes: BigInt(packets * 60),
});

test('RuleTotals adds up per rule, over alternatives of a rule and chains written anew', () => {
  const comments = [
    'NetworkPolicy a/web ingress rule 1 Allow',
    'NetworkPolicy a/web ingress rule 1 Allow',
  ];
  const own = ruleset({ p: comments });
  const totals = new RuleTotals();
  const read = (...packets: number[]): CountedRule[] =>
    packets.map((each, index) => counted('p', comments[index] ?? '', each));
  assert.equal(totals.update(own, read(2, 1))[0]?.packets, 3n);
  assert.deepEqual(totals.update(own, read(2, 1)), []);
  assert.equal(totals.update(own, read(2, 4))[0]?.packets, 3n);
  // Written anew: both began at zero.
  assert.equal(totals.update(own, read(0, 1))[0]?.packets, 1n);
  assert.deepEqual(totals.stats, [
    {
      kind: 'NetworkPolicy',
      namespace: 'a',
      name: 'web',
      direction: 'ingress',
      rule: 1,
      action: 'Allow',
      description: '',
      packets: 7n,
      bytes: 420n,
    },
  ]);
  assert.deepEqual(totals.update(ruleset({}), []), []);
  assert.deepEqual(totals.stats, []);
});

test('RuleTotals adds counters of look-ups to rules, and goes on when elements change', () => {
  const title = `GlobalNetworkPolicy ${LONG} egress rule 2 Deny`;
  const lookup: NamedSet = {
    kind: 'counter-map',
    key: ['inet_service'],
    interval: false,
    comment: '',
    elements: new Map(),
    counters: new Map([['p/lookup-1/2', title]]),
  };
  const own: Ruleset = { ...ruleset({ p: [title] }), sets: new Map([['p/lookup-1', lookup]]) };
  const totals = new RuleTotals();
  const inLookup = (packets: number): CountedRule => ({
    ...counted('', 'cut', packets),
    counter: 'p/lookup-1/2',
  });
  totals.update(own, [counted('p', 'cut', 1), inLookup(2)]);
  const added = totals.update(own, [counted('p', 'cut', 1), inLookup(5)]);
  assert.deepEqual(
    added.map(({ packets }) => packets),
    [3n],
  );
  assert.deepEqual(
    totals.stats.map(({ name, rule, action, packets }) => [name, rule, action, packets]),
    [[LONG, 2, 'Deny', 6n]],
  );
});

test('RuleTotals reads whole comments, global policies, profiles and defaults', () => {
  const totals = new RuleTotals();
  const comments = [`GlobalNetworkPolicy ${LONG} egress rule 12 Deny`];
  totals.update(
    ruleset({
      long: comments,
      'program-in/1': ['tier default: default action Deny'],
      'program-in/2': ['tier default: default action Deny'],
      profile: ['Profile kns.default ingress rule 1 Allow'],
    }),
    [
      counted('long', 'GlobalNetworkPolicy xxx…', 1),
      counted('program-in/1', 'tier default: default action Deny', 1),
      counted('program-in/2', 'tier default: default action Deny', 2),
      counted('profile', 'Profile kns.default ingress rule 1 Allow', 5),
      counted('pods/from', 'VXLAN from a pod', 6),
    ],
  );
  assert.deepEqual(
    totals.stats.map(({ kind, name, direction, rule, description, packets }) =>
      [kind, name, direction, rule, description, packets].join(' '),
    ),
    [
      '   0 VXLAN from a pod 6',
      '  ingress 0 tier default: default action Deny 3',
      `GlobalNetworkPolicy ${LONG} egress 12  1`,
      'Profile kns.default ingress 1  5',
    ],
  );
});
