import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicyRule } from '@calico/model';
import { ruleTerms } from './rule_terms.ts';

const ruleOf = (index: number): PolicyRule => ({
  action: index % 3 === 0 ? 'Deny' : 'Allow',
  protocol: 'TCP',
  source: index % 2 === 0 ? { selector: `role == 'r${index}'` } : { nets: [`10.0.${index}.0/24`] },
  destination: { ports: [index + 1] },
});

test('ruleTerms() of a long policy are those of its rules, and the same objects when they come again', () => {
  const rules = Array.from({ length: 100 }, (_, index) => ruleOf(index));
  const terms = ruleTerms(rules, 'default');
  for (const [index, rule] of rules.entries()) {
    const [alone] = ruleTerms([rule], 'default');
    const plain = { ...terms[index], number: 1 };
    assert.equal(JSON.stringify(plain, textOfBig), JSON.stringify(alone, textOfBig));
    assert.equal(terms[index]?.number, index + 1);
  }
  const again = ruleTerms(structuredClone(rules).with(50, ruleOf(200)), 'default');
  assert.deepEqual(
    again.flatMap((one, index) => (one === terms[index] ? [] : [index])),
    [50],
  );
  assert.notEqual(ruleTerms(rules, 'other')[0], terms[0]);
});

function textOfBig(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
