import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { CutOffs } from './cut_offs.ts';

const [WIDE, NARROW] = ['10.0.0.0/8', '2001:db8::/32'].map((text) => parsePrefix(text));
assert.ok(WIDE && NARROW);
const [ONE, OTHER, SIX, OUTSIDE] = ['10.1.0.1', '10.2.0.1', '2001:db8::1', '192.0.2.1'].map(
  (text) => parseAddress(text),
);
assert.ok(ONE && OTHER && SIX && OUTSIDE);

test('one of those that are cut off is named, as long as it is', () => {
  const cutOffs = new CutOffs();
  assert.equal(cutOffs.hasAggregates, false);
  cutOffs.configure([WIDE, NARROW]);
  assert.equal(cutOffs.aggregateOf(SIX), NARROW);
  assert.equal(cutOffs.aggregateOf(OUTSIDE), undefined);
  assert.deepEqual(
    [
      cutOffs.note(OUTSIDE, true),
      cutOffs.note(ONE, false),
      cutOffs.note(ONE, true),
      cutOffs.note(ONE, true),
      cutOffs.note(OTHER, true),
    ],
    [false, false, true, false, false],
    'whether another answer',
  );
  assert.deepEqual([cutOffs.in(WIDE), cutOffs.in(NARROW)], ['10.1.0.1', undefined]);
  assert.equal(cutOffs.note(ONE, false), true);
  assert.equal(cutOffs.in(parsePrefix('10.0.0.0/8')), '10.2.0.1');
  assert.equal(cutOffs.in(parsePrefix('10.2.0.0/16')), undefined, 'no aggregate');
});

test('whom a round of questions leaves out is needed no more', () => {
  const cutOffs = new CutOffs();
  cutOffs.configure([WIDE]);
  cutOffs.note(ONE, true);
  cutOffs.roundBegins();
  cutOffs.note(OTHER, true);
  assert.equal(cutOffs.in(WIDE), '10.1.0.1', 'not before the round is over');
  assert.equal(cutOffs.roundIsOver(), true);
  assert.equal(cutOffs.in(WIDE), '10.2.0.1');
  cutOffs.roundBegins();
  cutOffs.note(OTHER, true);
  assert.equal(cutOffs.roundIsOver(), false);
  cutOffs.configure([WIDE]);
  assert.equal(cutOffs.in(WIDE), undefined);
});
