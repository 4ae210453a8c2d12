import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordMap } from '../record_map.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignStep } from './auto_assign.ts';
import { planMigration } from './migration.ts';

const NOW = 1_790_000_000_000;

function sample(): RecordMap {
  const map = new RecordMap();
  const put = (name: string, spec: object): void =>
    map.put(`/calico/resources/v3/projectcalico.org/ippools/${name}`, JSON.stringify({ spec }));
  put('old', { cidr: '10.0.0.0/28', blockSize: 28 });
  const assign = (handleId: string, secondary: Record<string, string>): void => {
    map.run(assignStep({ ...assignRequest('n1', handleId), owner: { handleId, secondary } }, NOW));
  };
  assign('net.b', { node: 'n1', namespace: 'default', pod: 'b' });
  assign('net.a', { node: 'n1', namespace: 'default', pod: 'a' });
  assign('net.x', { node: 'n0' });
  assign('vxlan-tunnel-addr-n1', { node: 'n1', type: 'vxlanTunnelAddress' });
  put('new', { cidr: '10.1.0.0/24', blockSize: 26 });
  put('small', { cidr: '10.2.0.0/31', blockSize: 31, disabled: true, allowedUses: ['Workload'] });
  put('six', { cidr: 'fd00::/64' });
  return map;
}

test('a plan names the workloads to start again, by node', () => {
  const plan = sample().run(planMigration('old', '10.1.0.0/24', NOW));
  assert.deepEqual(
    plan.workloads.map(({ node, workload }) => `${node} ${workload}`),
    ['n0 net.x', 'n1 default/a', 'n1 default/b'],
  );
  assert.deepEqual(
    [plan.tunnelAddresses, plan.free, plan.obstacles, plan.isOldDisabled],
    [1, 256n, [], false],
  );
});

test('a plan says why a migration cannot start', () => {
  const map = sample();
  assert.deepEqual(map.run(planMigration('old', 'small', NOW)).obstacles, [
    'pool "small" is disabled',
    'pool "small" does not allow Tunnel',
    'pool "small" has 2 free addresses, expected at least 4',
  ]);
  assert.match(map.run(planMigration('old', 'six', NOW)).obstacles.join(), /is IPv4, .* is IPv6/);
  assert.match(map.run(planMigration('old', 'old', NOW)).obstacles.join(), /the same/);
  assert.throws(() => map.run(planMigration('old', 'none', NOW)), /Cannot migrate to pool "none"/);
});
