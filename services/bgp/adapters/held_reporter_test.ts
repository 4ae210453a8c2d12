import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reporter } from '../ports.ts';
import { HeldReporter } from './held_reporter.ts';

test('HeldReporter tells the last report of each kind, then what comes', () => {
  const told: string[] = [];
  const listener: Reporter = {
    peers: (peers) => told.push(`${peers.length} peers`),
    applied: (revision, inSync) => told.push(`applied ${revision} ${inSync}`),
    health: ({ ready }) => told.push(`ready ${ready}`),
  };
  const reporter = new HeldReporter();
  reporter.applied(1n, false);
  reporter.health({ ready: true, messages: [] });
  reporter.applied(2n, true);
  reporter.tellTo(listener);
  assert.deepEqual(told, ['applied 2 true', 'ready true']);
  reporter.peers([]);
  assert.deepEqual(told.slice(2), ['0 peers']);
});
