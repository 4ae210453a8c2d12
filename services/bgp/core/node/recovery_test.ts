import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { path } from '../../testing/paths.ts';
import type { Removal } from '../kernel/changes.ts';
import { LOCAL } from '../rib/loc_rib.ts';
import { Speaker } from '../speaker/speaker.ts';
import { Recovery } from './recovery.ts';

const PATIENCE_MS = 60_000;

const COMPLETE = { inSync: true, isConfigured: true };

function start() {
  const clock = new FakeClock(0);
  const found = { complete: 0, goneOn: 0, areServicesTold: false };
  const allowed: Removal[] = [];
  const turns: (() => void)[] = [];
  const speaker = new Speaker({ isRestarted: false });
  const recovery = new Recovery({
    clock,
    defer: (callback) => turns.push(callback),
    speaker,
    host: {
      completeExports: () => {
        found.complete += 1;
      },
      goOn: () => {
        found.goneOn += 1;
      },
    },
    sync: { allowRemoval: (removal) => allowed.push(removal) },
    interfaceIndex: () => undefined,
    areServicesTold: () => found.areServicesTold,
  });
  const waits = (ms: number): void => {
    clock.advance(ms);
    recovery.maintain();
  };
  return { recovery, clock, found, allowed, waits, speaker, turns };
}

test('own routes are all when the cluster is known and its services are told', () => {
  const { recovery, found, waits } = start();
  recovery.given({ inSync: false, isConfigured: true });
  found.areServicesTold = true;
  waits(1_000);
  assert.equal(found.complete, 0, 'the cluster is not known');
  found.areServicesTold = false;
  recovery.given(COMPLETE);
  waits(PATIENCE_MS - 1_001);
  assert.equal(found.complete, 0, 'services are not told');
  found.areServicesTold = true;
  recovery.maintain();
  assert.equal(found.complete, 1);
  recovery.given(COMPLETE);
  waits(PATIENCE_MS);
  assert.equal(found.complete, 1, 'it is said once');
});

test('own routes are all after a minute anyway, if any are configured', () => {
  const late = start();
  late.recovery.given(COMPLETE);
  late.waits(PATIENCE_MS - 1);
  assert.equal(late.found.complete, 0);
  late.waits(1);
  assert.equal(late.found.complete, 1, 'services are not told');
  const alone = start();
  alone.recovery.given({ inSync: false, isConfigured: false });
  alone.waits(PATIENCE_MS);
  assert.equal(alone.found.complete, 0, 'there is nothing to tell');
  alone.recovery.given({ inSync: false, isConfigured: true });
  assert.equal(alone.found.complete, 1, 'the cluster is not known');
});

test('a peer that has told all lets routes of an earlier process go, not within its own step', () => {
  const { recovery, clock, found, allowed } = start();
  recovery.peerComplete();
  recovery.peerComplete();
  assert.equal(found.goneOn, 0);
  clock.advance(0);
  assert.deepEqual([found.goneOn, allowed.length], [1, 1]);
  recovery.peerComplete();
  recovery.stop();
  clock.advance(0);
  assert.equal(found.goneOn, 1);
});

test('no route goes before what was known by then is decided on, and whatever comes later', () => {
  const { recovery, clock, allowed, speaker, turns, waits } = start();
  const { rib } = speaker;
  const prefixes = Array.from({ length: 6 }, (_, index) => `10.244.${index}.0/24`);
  const put = (prefix: string | undefined): void => {
    rib.put({ ...path({ prefix: prefix ?? '' }), source: LOCAL });
  };
  const turn = (): void => turns.shift()?.();
  put(prefixes.shift());
  put(prefixes.shift());
  recovery.peerComplete();
  clock.advance(0);
  waits(1_000);
  assert.deepEqual([allowed.length, turns.length], [0, 1]);
  put(prefixes.shift());
  rib.settle(1);
  turn();
  assert.equal(allowed.length, 0);
  put(prefixes.shift());
  rib.settle(1);
  turn();
  assert.equal(allowed.length, 1, 'the table is not settled, and may never be');
  assert.equal(turns.length, 1, 'it was asked for once more');
  rib.settle();
  turn();
  assert.deepEqual([allowed.length, turns.length], [2, 0]);
  put(prefixes.shift());
  recovery.maintain();
  recovery.stop();
  rib.settle();
  turn();
  assert.equal(allowed.length, 2, 'a process that stops leaves routes as they are');
});
