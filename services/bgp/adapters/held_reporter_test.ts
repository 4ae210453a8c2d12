import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Reporter } from '../ports.ts';
import { HeldReporter } from './held_reporter.ts';

test('HeldReporter tells the last report of each kind, one per turn, then what comes', async () => {
  const told: string[] = [];
  const listener: Reporter = {
    peers: (peers) => told.push(`${peers.length} peers`),
    applied: (revision, inSync) => told.push(`applied ${revision} ${inSync}`),
    health: ({ ready }) => told.push(`ready ${ready}`),
  };
  const reporter = new HeldReporter();
  reporter.applied(1n, false);
  reporter.health({ ready: true, messages: [], recent: [] });
  reporter.applied(2n, true);
  await turn();
  reporter.tellTo(listener);
  assert.deepEqual(told, []);
  await turn();
  assert.deepEqual(told, ['applied 2 true']);
  await turn();
  assert.deepEqual(told, ['applied 2 true', 'ready true']);
  reporter.peers([]);
  reporter.applied(3n, true);
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.deepEqual(told.slice(2), ['0 peers', 'applied 3 true']);
});
