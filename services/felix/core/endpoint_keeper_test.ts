import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '@calico/model';
import { FakeWorld } from './fake_world.ts';
import { NOTHING_PARTICULAR } from './workload.ts';

test('an endpoint that was lost before the view had seen it is written again with any later change', async () => {
  const w = new FakeWorld();
  const put = (kind: string, name: string, spec: object): void => {
    w.put(parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec }));
  };
  put('IPPool', 'pool', { cidr: '10.244.0.0/16' });
  put('Node', 'n1', { bgp: { ipv4Address: '192.168.80.101/24' } });
  const felix = w.start();
  const keep = w.put.bind(w);
  // Written, and gone before the view comes to that revision.
  w.put = () => w.revision + 5n;
  const workload = {
    containerId: 'c1',
    interfaceName: 'eth0',
    netns: '/ns/a',
    network: 'net',
    namespace: 'default',
    pod: 'a',
    ...NOTHING_PARTICULAR,
  };
  await w.settle(felix.actions.add(workload));
  await w.pass(1_000);
  w.put = keep;
  assert.equal(w.list('WorkloadEndpoint').length, 0);
  w.revision += 10n;
  felix.viewChanged(['NetworkPolicy']);
  await w.pass(1_000);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});
