import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '@calico/ip';
import { type AnyResource, parseResource } from '@calico/model';
import { type Cluster, commonAddresses, findEnd } from './connection_end.ts';

const API = 'projectcalico.org/v3';

const RESOURCES: readonly AnyResource[] = [
  parseResource({
    apiVersion: API,
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { bgp: { ipv4Address: '192.0.2.1/24', ipv6Address: '2001:db8::1/64' } },
  }),
  ...['web', 'db'].map((pod, index) =>
    parseResource({
      apiVersion: API,
      kind: 'WorkloadEndpoint',
      metadata: { name: `n1-k8s-${pod}-eth0`, namespace: pod === 'web' ? 'default' : 'data' },
      spec: {
        orchestrator: 'k8s',
        node: 'n1',
        pod,
        endpoint: 'eth0',
        ipNetworks: [`10.0.0.${index + 1}/32`, ...(pod === 'web' ? ['fd00::1/128'] : [])],
        interfaceName: `cali${pod}`,
      },
    }),
  ),
];
const CLUSTER: Cluster = {
  list: (kind) => RESOURCES.filter((one) => one.kind === kind) as never,
};

function described(text: string): string {
  const end = findEnd(CLUSTER, text);
  if (end === undefined) return 'nobody';
  return [end.kind, end.name, end.node || '-', ...end.addresses.map(formatAddress)].join(' ');
}

test('findEnd() knows pods, nodes and addresses', () => {
  assert.equal(described('default/web'), 'pod default/web n1 10.0.0.1 fd00::1');
  assert.equal(described('web'), 'pod default/web n1 10.0.0.1 fd00::1');
  assert.equal(described('db'), 'nobody');
  assert.equal(described('data/db'), 'pod data/db n1 10.0.0.2');
  assert.equal(described('n1'), 'node n1 n1 192.0.2.1 2001:db8::1');
  assert.equal(described('fd00::1'), 'pod default/web n1 fd00::1');
  assert.equal(described('192.0.2.1'), 'node n1 n1 192.0.2.1');
  assert.equal(described('198.51.100.1'), 'outside 198.51.100.1 - 198.51.100.1');
});

function pick(from: string, to: string, family?: 4 | 6): string {
  const [a, b] = [findEnd(CLUSTER, from), findEnd(CLUSTER, to)];
  const found = a && b && commonAddresses(a, b, family);
  return found?.map(formatAddress).join(' ') ?? 'none';
}

test('commonAddresses() takes one family for both', () => {
  assert.equal(pick('web', 'n1'), '10.0.0.1 192.0.2.1');
  assert.equal(pick('web', 'n1', 6), 'fd00::1 2001:db8::1');
  assert.equal(pick('web', '2001:db8::9'), 'fd00::1 2001:db8::9');
  assert.equal(pick('data/db', '2001:db8::9'), 'none');
});
