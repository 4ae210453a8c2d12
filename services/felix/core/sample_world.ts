// A world with one node, one pool and one pod to add; for tests.
import { parseResource } from '@calico/model';
import { FakeWorld } from './fake_world.ts';
import { NOTHING_PARTICULAR, type Workload } from './workload.ts';
import type { CheckRequest } from './workload_check.ts';

export const POD: Workload = {
  containerId: 'c1',
  interfaceName: 'eth0',
  netns: '/ns/a',
  network: 'net',
  namespace: 'default',
  pod: 'busybox-deploy-5c8bbcc5f7-ddmm9',
  ...NOTHING_PARTICULAR,
  labels: { app: 'busybox' },
};
export const HOST = 'cali918b33f2bbe';
export const CHECK: CheckRequest = { ...POD, expectedAddresses: [], expectedHostInterface: '' };

export function pool(spec: Record<string, unknown> = {}, name = 'pool') {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr: '10.244.0.0/16', ...spec },
  });
}

export function node(name: string, ipv4Address: string, spec: Record<string, unknown> = {}) {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name },
    spec: { bgp: { ipv4Address }, ...spec },
  });
}

export function world(poolSpec: Record<string, unknown> = {}): FakeWorld {
  const fresh = new FakeWorld();
  fresh.put(pool(poolSpec));
  fresh.put(node('n1', '192.168.80.101/24'));
  return fresh;
}
