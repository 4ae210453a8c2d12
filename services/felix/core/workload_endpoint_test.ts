import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource, type WorkloadEndpoint } from '@calico/model';
import type { Workload, WorkloadRecord } from './workload.ts';
import {
  endpointNameOf,
  endpointOf,
  hostInterfaceOf,
  localEndpoints,
} from './workload_endpoint.ts';

const WORKLOAD: Workload = {
  containerId: 'c1',
  interfaceName: 'eth0',
  netns: '/ns',
  network: 'net',
  namespace: 'default',
  pod: 'web-0',
  labels: { app: 'web' },
  serviceAccount: 'robot',
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  ipv4Pools: [],
  ipv6Pools: [],
  requestedAddresses: [],
  mtu: 0,
  ipv4: true,
  ipv6: true,
};

function record(changes: Partial<WorkloadRecord> = {}): WorkloadRecord {
  return {
    version: 1,
    phase: 'present',
    workload: WORKLOAD,
    hostInterface: hostInterfaceOf(WORKLOAD),
    containerMac: '02:00:00:00:00:01',
    endpointName: endpointNameOf('n1', WORKLOAD),
    handle: 'net.c1',
    addresses: [
      { address: '10.0.0.1', block: '10.0.0.0/26', pool: 'p' },
      { address: 'fd00::1', block: 'fd00::/122', pool: 'q' },
    ],
    mtu: 1500,
    pending: { endpoint: false, address: false },
    ...changes,
  };
}

const none = (): boolean => false;

test('names are those of upstream', () => {
  assert.equal(endpointNameOf('n1', WORKLOAD), 'n1-k8s-web--0-eth0');
  assert.equal(endpointNameOf('n1', { ...WORKLOAD, pod: '' }), 'n1-cni-c1-eth0');
  const pod = { ...WORKLOAD, pod: 'busybox-deploy-5c8bbcc5f7-ksr4z' };
  assert.equal(hostInterfaceOf(pod), 'cali54491a66381');
  assert.notEqual(hostInterfaceOf({ ...WORKLOAD, pod: '' }), hostInterfaceOf(WORKLOAD));
});

test('endpointOf() is a resource that the model accepts as it is', () => {
  const endpoint = endpointOf('n1', record());
  assert.deepEqual(parseResource(JSON.parse(JSON.stringify(endpoint))), endpoint);
  assert.deepEqual(endpoint.spec.ipNetworks, ['10.0.0.1/32', 'fd00::1/128']);
  assert.deepEqual(endpoint.spec.profiles, ['kns.default', 'ksa.default.robot']);
  assert.deepEqual(endpoint.metadata.labels, {
    app: 'web',
    'projectcalico.org/namespace': 'default',
    'projectcalico.org/orchestrator': 'k8s',
    'projectcalico.org/serviceaccount': 'robot',
  });
});

test('localEndpoints() takes labels from the store, everything else from the journal', () => {
  const own = endpointOf('n1', record());
  const stored: WorkloadEndpoint = {
    ...own,
    metadata: { ...own.metadata, labels: { changed: 'yes' } },
    spec: { ...own.spec, interfaceName: 'caliwrong' },
  };
  const [local] = localEndpoints('n1', [record()], [stored], none);
  assert.deepEqual(local?.endpoint.metadata.labels, { changed: 'yes' });
  assert.equal(local?.endpoint.spec.interfaceName, record().hostInterface);
});

test('localEndpoints() knows what only the store knows, and leaves out what is being removed', () => {
  const own = endpointOf('n1', record());
  const foreign = { ...own, metadata: { ...own.metadata, name: 'n1-k8s-other-eth0' } };
  const elsewhere = { ...foreign, spec: { ...own.spec, node: 'n2' } };
  assert.equal(localEndpoints('n1', [], [foreign], none)[0]?.record, undefined);
  assert.deepEqual(localEndpoints('n1', [], [elsewhere], none), []);
  assert.deepEqual(localEndpoints('n1', [record({ phase: 'removing' })], [own], none), []);
  assert.deepEqual(
    localEndpoints('n1', [], [own], () => true),
    [],
  );
  // Removed here, but the name belongs to another container by now.
  const successor = { ...own, spec: { ...own.spec, containerID: 'c2' } };
  const kept = localEndpoints('n1', [record({ phase: 'removing' })], [successor], none);
  assert.equal(kept[0]?.endpoint.spec.containerID, 'c2');
  assert.deepEqual(localEndpoints('n1', [record({ addresses: [] })], [], none), []);
});

test('localEndpoints() says the same of two containers of one pod in any order', () => {
  const older = record({ workload: { ...WORKLOAD, containerId: 'c0' } });
  const own = endpointOf('n1', record());
  const stored = { ...own, metadata: { ...own.metadata, labels: { changed: 'yes' } } };
  const labelsOf = (records: readonly WorkloadRecord[]) =>
    localEndpoints('n1', records, [stored], none).find(({ record: of }) => of !== older)?.endpoint
      .metadata.labels;
  assert.deepEqual(labelsOf([record(), older]), { changed: 'yes' });
  assert.deepEqual(labelsOf([older, record()]), { changed: 'yes' });
});
