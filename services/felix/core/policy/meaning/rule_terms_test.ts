import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkPolicy, PolicyRule } from '@calico/model';
import { policyOf } from './ordering.ts';
import { ruleTerms } from './rule_terms.ts';

const ruleOf = (index: number): PolicyRule => ({
  action: index % 3 === 0 ? 'Deny' : 'Allow',
  protocol: 'TCP',
  source: index % 2 === 0 ? { selector: `role == 'r${index}'` } : { nets: [`10.0.${index}.0/24`] },
  destination: { ports: [index + 1] },
});

function policyWith(rules: readonly PolicyRule[]): NetworkPolicy {
  const spec = { tier: 'default', selector: 'all()', ingress: [...rules], egress: [...rules] };
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: 'long', namespace: 'default' },
    spec: { ...spec, types: ['Ingress', 'Egress'] },
  };
}

test('ruleTerms() of a long policy are those of its rules, and the same objects where they read as before', () => {
  const rules = Array.from({ length: 100 }, (_, index) => ruleOf(index));
  const terms = ruleTerms(rules, 'default');
  for (const [index, rule] of rules.entries()) {
    const [alone] = ruleTerms([rule], 'default');
    const plain = { ...terms[index], number: 1 };
    assert.equal(JSON.stringify(plain, textOfBig), JSON.stringify(alone, textOfBig));
    assert.equal(terms[index]?.number, index + 1);
  }
  const before = { rules, terms };
  const again = ruleTerms(structuredClone(rules).with(50, ruleOf(200)), 'default', before);
  assert.deepEqual(
    again.flatMap((one, index) => (one === terms[index] ? [] : [index])),
    [50],
  );
  // A rule that moves has another number.
  const moved = ruleTerms(rules.toSpliced(98, 1), 'default', before);
  assert.deepEqual(
    moved.map(({ number }) => number),
    again.slice(0, 99).map(({ number }) => number),
  );
  assert.equal(moved[97], terms[97]);
  assert.equal(
    JSON.stringify(moved[98]?.source, textOfBig),
    JSON.stringify(terms[99]?.source, textOfBig),
  );
  // Nothing is kept but by the version before.
  assert.notEqual(ruleTerms(rules, 'default')[0], terms[0]);
});

function textOfBig(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

test('a policy that changes keeps the terms of all rules but those that changed', () => {
  const rules = Array.from({ length: 10 }, (_, index) => ruleOf(index));
  const [first, second] = [
    policyWith(rules),
    policyWith(structuredClone(rules).with(3, ruleOf(20))),
  ];
  const [before, after] = [policyOf(first), policyOf(second, first)];
  for (const direction of ['ingress', 'egress'] as const) {
    const [old, young = []] = [before?.[direction], after?.[direction]];
    assert.deepEqual(
      young.flatMap((one, index) => (one === old?.[index] ? [] : [index])),
      [3],
    );
  }
});
