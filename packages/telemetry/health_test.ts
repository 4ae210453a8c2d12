import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthRegistry } from './health.ts';

test('HealthRegistry is live and ready when every part is', () => {
  const health = new HealthRegistry();
  assert.ok(health.live && health.ready);
  health.report('etcd', { live: true, ready: false, detail: 'not reachable' });
  health.report('rpc', { live: true, ready: true });
  assert.equal(health.live, true);
  assert.equal(health.ready, false);
  assert.equal(health.describe(), 'etcd: not ready (not reachable)\nrpc: ready\n');
  health.report('etcd', { live: true, ready: true, detail: '' });
  assert.equal(health.ready, true);
  assert.equal(health.describe(), 'etcd: ready\nrpc: ready\n');
  health.report('rpc', { live: false, ready: true });
  assert.ok(!health.live && !health.ready);
  health.withdraw('rpc');
  assert.ok(health.live && health.ready);
});
