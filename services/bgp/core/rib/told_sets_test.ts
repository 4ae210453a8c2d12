import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AttributeRewrite,
  AttributeRewriter,
  DEFAULT_CONTEXT,
  encodeAttributes,
} from '@calico/bgp-wire';
import { parseAddress } from '@calico/ip';
import { sequence } from '../../testing/paths.ts';
import { AttributeTable } from './attribute_table.ts';
import { ToldSets } from './told_sets.ts';

const nextHop = parseAddress('192.0.2.9');
const TO_OTHERS: AttributeRewrite = {
  nextHop: parseAddress('192.0.2.1'),
  prepend: 64_500,
  localPreference: 100,
  reflection: undefined,
};
const INSIDE: AttributeRewrite = { ...TO_OTHERS, prepend: undefined };
const TWO_OCTETS = { ...DEFAULT_CONTEXT, fourOctetAs: false };

/** A set with a path of that length, and a reference for the caller. */
function receive(sets: AttributeTable, length: number, multiExitDiscriminator = 7): number {
  const asPath = sequence(...Array.from({ length }, (_, index) => index + 1));
  const attributes = { origin: 0 as const, asPath, multiExitDiscriminator, nextHop };
  const bytes = encodeAttributes(attributes, DEFAULT_CONTEXT);
  const interned = sets.internWire(bytes, 0, bytes.length, undefined, DEFAULT_CONTEXT);
  assert.ok(interned.kind === 'set' && sets.isPlain(interned.id));
  return interned.id;
}

test('a set is told as the rewriter makes it, and stays as long as somebody is told', () => {
  const sets = new AttributeTable();
  const told = new ToldSets(sets);
  const rewriter = new AttributeRewriter();
  const received = receive(sets, 3);
  const ids = [TO_OTHERS, INSIDE, { ...TO_OTHERS }].map((change) => told.rewrite(received, change));
  assert.equal(ids[0], ids[2], 'the same for equal changes');
  assert.notEqual(ids[0], ids[1]);
  for (const [at, change] of [TO_OTHERS, INSIDE].entries()) {
    const id = ids[at] as number;
    rewriter.rewrite(sets.bytesOf(received), change);
    assert.deepEqual(
      told.wireOf(id, DEFAULT_CONTEXT).slice(),
      rewriter.bytes.slice(0, rewriter.length),
    );
    const { attributes } = told.dataOf(id);
    assert.deepEqual(told.nextHopOf(id), change.nextHop);
    assert.deepEqual(
      told.wireOf(id, TWO_OCTETS),
      encodeAttributes({ ...attributes, nextHop: change.nextHop }, TWO_OCTETS),
    );
  }
  sets.release(received);
  for (const id of ids) {
    assert.equal(sets.size, 1);
    told.release(id);
  }
  assert.equal(sets.size, 0);
});

test('sets that differ in what others are not told are the same to them', () => {
  const sets = new AttributeTable();
  const told = new ToldSets(sets);
  const [a, b] = [receive(sets, 3, 7), receive(sets, 3, 8)];
  const areSame = (change: AttributeRewrite, other = change): boolean =>
    told.areSame(told.rewrite(a, change), told.rewrite(b, other));
  assert.equal(areSame(TO_OTHERS), true, 'a MED stays in the AS');
  assert.equal(areSame(INSIDE), false);
  assert.equal(areSame(TO_OTHERS, { ...TO_OTHERS, nextHop }), false);
  assert.equal(told.areSame(a, b), false);
});

test('a set that becomes too long as it is passed on has no number', () => {
  const sets = new AttributeTable();
  const told = new ToldSets(sets);
  const received = receive(sets, 16_343);
  assert.ok(told.rewrite(received, INSIDE) >= 0);
  const reflection = { originatorId: 1, clusterId: 2 };
  assert.ok(told.rewrite(received, { ...INSIDE, reflection }) < 0);
});
