import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { match, type NamedSet, type Rule, type Ruleset, verdict } from '../compiler/ruleset.ts';
import { policyRuleTitle } from './policy_rule_title.ts';

const TITLE = 'NetworkPolicy default/web ingress';
const SEVENTH = `${TITLE} rule 7 Deny`;
const lookup: NamedSet = {
  kind: 'counter-map',
  key: ['ipv4_addr', 'inet_service'],
  interval: true,
  comment: '',
  elements: new Map([
    ['10.0.0.0/24 . 80-90', 'counter p/lookup/1'],
    ['10.0.0.0/24 . 91', 'counter p/lookup/2'],
  ]),
  counters: new Map([
    ['p/lookup/1', `${TITLE} rule 1 Deny`],
    ['p/lookup/2', `${TITLE} rule 2 Deny`],
  ]),
};
const later: NamedSet = {
  ...lookup,
  elements: new Map([['10.0.0.0/24 . 80-95', 'counter p/lookup-2/7']]),
  counters: new Map([['p/lookup-2/7', SEVENTH]]),
};
const rule: Rule = {
  statements: [
    { kind: 'counter-map', fields: ['ip saddr', 'tcp dport'], map: 'p/lookup' },
    verdict('drop'),
  ],
  comment: `${TITLE} rules Deny`,
};
const of = (...rules: readonly Rule[]): Ruleset => ({
  chains: new Map([['p', { rules: [{ statements: [verdict('drop')], comment: 'x' }, ...rules] }]]),
  sets: new Map([
    ['p/lookup', lookup],
    ['p/lookup-2', later],
  ]),
});
const ruleset = of(rule);
const flow = (destinationPort: number) => ({
  source: parseAddress('10.0.0.9'),
  destination: parseAddress('10.0.1.1'),
  protocol: 6,
  sourcePort: 40_000,
  destinationPort,
  icmpType: 0,
  icmpCode: 0,
});

test('policyRuleTitle() names the rule that a look-up finds for the packet', () => {
  assert.equal(policyRuleTitle(ruleset, 'p', rule.comment, flow(85)), `${TITLE} rule 1 Deny`);
  assert.equal(policyRuleTitle(ruleset, undefined, rule.comment, flow(91)), `${TITLE} rule 2 Deny`);
  const cut = `${rule.comment.slice(0, -7)}…`;
  assert.equal(policyRuleTitle(ruleset, 'p', cut, flow(91)), `${TITLE} rule 2 Deny`);
});

test('policyRuleTitle() asks the look-up whose conditions the packet meets', () => {
  const other: Rule = {
    statements: [
      match('tcp dport', '80-95'),
      { kind: 'counter-map', fields: ['ip saddr', 'tcp dport'], map: 'p/lookup-2' },
      verdict('drop'),
    ],
    comment: rule.comment,
  };
  const narrow = { ...rule, statements: [match('tcp sport', '1-1024'), ...rule.statements] };
  assert.equal(policyRuleTitle(of(narrow, other), 'p', rule.comment, flow(85)), SEVENTH);
  // Both match: the packet came to the first.
  assert.equal(policyRuleTitle(of(other, rule), 'p', rule.comment, flow(85)), SEVENTH);
});

test('policyRuleTitle() names a rule by a cut comment only if it is the only one that matches', () => {
  const plain = (port: string): Rule => ({
    statements: [match('tcp dport', port), verdict('drop')],
    comment: `${TITLE} rule 9 Deny`,
  });
  const cut = `${TITLE.slice(0, -4)}…`;
  assert.equal(policyRuleTitle(of(plain('70'), rule), 'p', cut, flow(91)), `${TITLE} rule 2 Deny`);
  assert.equal(policyRuleTitle(of(plain('70-99'), rule), 'p', cut, flow(91)), cut);
});

test('policyRuleTitle() leaves what is no look-up, or of another packet, as it is', () => {
  assert.equal(policyRuleTitle(ruleset, 'p', 'x', flow(85)), 'x');
  assert.equal(policyRuleTitle(ruleset, 'p', rule.comment, flow(1)), rule.comment);
  assert.equal(policyRuleTitle(ruleset, 'gone', rule.comment, flow(85)), rule.comment);
});
