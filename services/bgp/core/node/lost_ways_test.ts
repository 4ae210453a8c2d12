import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { QUESTIONS } from '../kernel/round.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { LostWays } from './lost_ways.ts';

function world(count: number) {
  const kernel = new FakeKernel();
  const keys = Array.from({ length: count }, (_, index) => `10.9.${index >> 8}.${index & 255}`);
  const peers = new Map<string, { live: object | undefined; readonly config: object }>();
  for (const key of keys) peers.set(key, { live: {}, config: { key, address: parseAddress(key) } });
  const turns: (() => void)[] = [];
  const lost: string[] = [];
  const hidden = new Set<string>();
  const ways = new LostWays({ peers } as unknown as Speaker, kernel, {
    defer: (callback) => turns.push(callback),
    isHidden: (address) => hidden.has(formatAddress(address)),
    onLost: (peer) => lost.push(peer),
  });
  return { kernel, keys, peers, turns, lost, ways, hidden };
}

test('peers without a way are found a few per turn; what changes on the way is looked at once more', () => {
  const { kernel, keys, peers, turns, lost, ways } = world(QUESTIONS * 2 + 10);
  const [first, second, late] = [keys[0], keys[1], keys[QUESTIONS * 2]] as [string, string, string];
  kernel.ways.set(first, undefined);
  kernel.ways.set(late, undefined);
  ways.look();
  assert.deepEqual([lost, turns.length], [[first], 1]);
  peers.delete(first);
  kernel.ways.set(second, undefined);
  ways.look();
  turns.shift()?.();
  assert.deepEqual([lost, turns.length], [[first], 1]);
  turns.shift()?.();
  assert.deepEqual(lost, [first, late]);
  peers.delete(late);
  while (turns.length > 0) turns.shift()?.();
  assert.deepEqual(lost, [first, late, second]);
});

test('what a blackhole of ours hides is not lost', () => {
  const { kernel, keys, lost, ways, hidden } = world(2);
  for (const key of keys) kernel.ways.set(key, undefined);
  hidden.add(keys[0] as string);
  ways.look();
  assert.deepEqual(lost, [keys[1]]);
});

test('a speaker on this node, at another of its addresses, needs no way', () => {
  const { kernel, keys, lost, ways } = world(2);
  for (const key of keys) kernel.ways.set(key, undefined);
  kernel.locals.add(keys[0] as string);
  ways.look();
  assert.deepEqual(lost, [keys[1]]);
});

test('a session that is not up has no way to lose, and a node that stops looks no further', () => {
  const { kernel, keys, peers, turns, lost, ways } = world(QUESTIONS + 2);
  for (const key of keys) kernel.ways.set(key, undefined);
  const [one] = peers.values();
  assert.ok(one);
  one.live = undefined;
  ways.look();
  assert.equal(lost.length, QUESTIONS - 1);
  ways.stop();
  turns.shift()?.();
  assert.equal(lost.length, QUESTIONS - 1);
});
