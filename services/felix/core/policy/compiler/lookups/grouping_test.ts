import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PolicyRule } from '@calico/model';
import { ruleTerms } from '../../meaning/rule_terms.ts';
import { MemberSelections } from '../member_selections.ts';
import { alternatives } from '../rule_compiler.ts';
import { SetBuilder } from '../set_builder.ts';
import { type RoomOf, type RulePart, type Step, stepsOf } from './grouping.ts';
import { lookupOf } from './lookup.ts';
import { shapeOf } from './shape.ts';

const sets = new SetBuilder(new MemberSelections([]), new Map());

function parts(rules: readonly PolicyRule[]): RulePart[] {
  return ruleTerms(rules, 'default').flatMap((rule) =>
    alternatives(rule, sets).map((terms) => ({
      terms,
      shape: shapeOf(terms),
      rule: rule.number,
      action: rule.action,
    })),
  );
}

/** "1" for a rule, "ip saddr . tcp dport: 1 2 3" for a look-up, "~" where it has ranges. */
function texts(rules: readonly PolicyRule[], roomOf: RoomOf = () => 64): string[] {
  return stepsOf(parts(rules), roomOf).map((step: Step) => {
    if (step.kind === 'rule') return String(step.part.rule);
    const { fields, interval } = step.lookup;
    const numbers = step.parts.map(({ rule }) => rule).join(' ');
    return `${fields.join(' . ')}${interval ? '~' : ''}: ${numbers}`;
  });
}

const list = (count: number, make: (index: number) => PolicyRule): PolicyRule[] =>
  Array.from({ length: count }, (_, index) => make(index));
const allow = (source: PolicyRule['source'], ports?: (number | string)[]): PolicyRule => ({
  action: 'Allow',
  ...(source ? { source } : {}),
  ...(ports ? { protocol: 'TCP', destination: { ports } } : {}),
});
const deny = (nets: string[]): PolicyRule => ({ action: 'Deny', source: { nets } });
const net = (index: number): string => `10.${index}.0.0/16`;
const twelve = (make: (index: number) => PolicyRule): PolicyRule[] => list(12, make);
const numbers = (count: number): string =>
  list(count, () => allow({}))
    .map((_, i) => i + 1)
    .join(' ');

test('stepsOf() makes an element of what differs, as narrow as can be', () => {
  assert.deepEqual(texts(twelve((index) => allow({ nets: [`10.0.0.${index}`] }, [80]))), [
    `ip saddr: ${numbers(12)}`,
  ]);
  assert.deepEqual(texts(twelve((index) => allow({ nets: [net(index)] }, [80]))), [
    `ip saddr & 255.255.0.0: ${numbers(12)}`,
  ]);
  assert.deepEqual(texts(twelve((index) => allow({ nets: [net(index)] }, [80 + index]))), [
    `ip saddr & 255.255.0.0 . tcp dport: ${numbers(12)}`,
  ]);
  // A single address beside wide nets: they would be too many blocks.
  const address = '192.0.2.1';
  assert.deepEqual(
    texts(twelve((index) => allow({ nets: [index === 0 ? address : net(index)] }, [80]))),
    [`ip saddr~: ${numbers(12)}`],
  );
  assert.deepEqual(
    texts(twelve((index) => allow({ nets: [net(index)] }, [80 + index, '8000:8003']))),
    [`ip saddr . tcp dport~: ${numbers(12)}`],
  );
  assert.deepEqual(
    texts(twelve((index) => ({ ...allow({}, [80]), protocol: index % 2 === 0 ? 'TCP' : 'UDP' }))),
    [`meta l4proto . th dport: ${numbers(12)}`],
  );
  assert.deepEqual(texts(twelve((index) => allow({ selector: `a == '${index}'` }, [80]))), [
    `ip saddr: ${numbers(12)}`,
    `ip6 saddr: ${numbers(12)}`,
  ]);
  assert.deepEqual(
    texts(twelve((index) => allow({ selector: `a == '${index}'` }, [80 + index, '8000:8003']))),
    [`ip saddr . tcp dport: ${numbers(12)}`, `ip6 saddr . tcp dport: ${numbers(12)}`],
  );
});

test('stepsOf() never lists a wide range of ports, though the protocol beside it differs', () => {
  const rules = twelve((index) => ({
    ...allow({ selector: `a == '${index >>> 1}'` }, ['30000:32767']),
    protocol: index % 2 === 0 ? 'TCP' : 'UDP',
  }));
  const [tcp, udp] = ['1 3 5 7 9 11', '2 4 6 8 10 12'];
  assert.deepEqual(texts(rules), [
    `ip saddr: ${tcp}`,
    `ip6 saddr: ${tcp}`,
    `ip saddr: ${udp}`,
    `ip6 saddr: ${udp}`,
  ]);
  // Whoever asks for it gets none.
  assert.equal(lookupOf(parts(rules).filter(({ shape }) => shape.family === 4)), undefined);
});

test('stepsOf() leaves a few as they are: rules cost less than the look-up', () => {
  assert.deepEqual(texts(list(3, (index) => allow({}, [80 + index]))), ['1', '2', '3']);
  const some = (count: number) =>
    list(count, (index) => allow({ nets: [net(index)] }, [80 + index, '8000:8003']));
  assert.equal(texts(some(11)).length, 11);
  assert.equal(texts(some(12)).length, 1);
  assert.equal(texts(list(5, (index) => allow({ selector: `a == '${index}'` }))).length, 10);
});

test('stepsOf() moves a rule forward past others only when no packet matches both', () => {
  const denyAll: PolicyRule = { action: 'Deny' };
  const denyUdp: PolicyRule = { action: 'Deny', protocol: 'UDP' };
  const ports = (count: number): PolicyRule[] => list(count, (index) => allow({}, [80 + index]));
  assert.deepEqual(texts([...ports(4), denyUdp, ...ports(4)]), ['tcp dport: 1 2 3 4 6 7 8 9', '5']);
  assert.deepEqual(texts([...ports(4), denyAll, ...ports(4)]), [
    'tcp dport: 1 2 3 4',
    '5',
    'tcp dport: 6 7 8 9',
  ]);
  // A line is logged for whatever comes that far.
  const log: PolicyRule = { action: 'Log' };
  assert.deepEqual(texts([...ports(2), log, ...ports(2)]), ['1', '2', '3', '4', '5']);
  // Exceptions before what they are taken from.
  const pairs = list(4, (index) => deny([`10.${index}.1.0/24`])).flatMap((exception, index) => [
    exception,
    allow({ nets: [net(index)] }),
  ]);
  assert.deepEqual(texts(pairs), [
    'ip saddr & 255.255.255.0: 1 3 5 7',
    'ip saddr & 255.255.0.0: 2 4 6 8',
  ]);
});

test('stepsOf() cuts rules of many nets and ports into look-ups of a bounded size', () => {
  const eight = list(8, () => allow({})).map((_, index) => index);
  const rules = list(100, (rule) =>
    allow(
      { nets: eight.map((index) => `10.${rule}.${2 * index}.0/24`) },
      eight.map((index) => rule + 200 * index),
    ),
  );
  const sizes = stepsOf(parts(rules), () => 64).map((step) =>
    step.kind === 'lookup' && step.lookup.content.kind === 'listed'
      ? step.lookup.content.elements.size
      : 0,
  );
  assert.deepEqual(
    [sizes.length, sizes.reduce((sum, size) => sum + size), Math.max(...sizes) <= 1024],
    [8, 6400, true],
  );
});

test('stepsOf() leaves selectors that find too much, or nets, to their own sets', () => {
  const rules = list(6, (index) => allow({ selector: index < 5 ? `a == '${index}'` : 'has(big)' }));
  assert.equal(
    texts(rules, (selector) => (selector.canonical.includes('big') ? undefined : 64)).length,
    12,
  );
  // With the same selector, what else differs is still one look-up.
  const ports = list(6, (index) => allow({ selector: 'all()' }, [80 + index]));
  assert.deepEqual(
    texts(ports, () => undefined),
    ['tcp dport: 1 2 3 4 5 6', 'tcp dport: 1 2 3 4 5 6'],
  );
  // A chain holds 16 selectors that find many, of both families, and a thousand that find a few.
  const many = list(1000, (index) => allow({ selector: `a == '${index}'` }));
  assert.equal(texts(many, () => 1024).length, 2 + 2 * (1000 - 8));
  assert.equal(texts(many, () => 8).length, 2);
});
