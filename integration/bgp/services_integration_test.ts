// Addresses of services of Kubernetes, as a router outside of the cluster learns them.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, execOk, ROOT } from '../lab/mod.ts';
import { BgpLab } from './bgp_lab.ts';
import { birdConfiguration } from './bird_configuration.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const NODES = ['k8s-node01', 'k8s-node02'] as const;
const [FIRST, SECOND] = NODES;
const ROUTER = 'tor';
const NAMESPACE = 'shop';

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: NAMESPACE },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.7',
    clusterIPs: ['10.96.0.7'],
    externalTrafficPolicy: 'Local',
    internalTrafficPolicy: 'Cluster',
    ipFamilies: ['IPv4'],
    ports: [{ port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }],
  },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.7', ipMode: 'VIP' }] } },
};

function slice(ready: Readonly<Record<string, boolean>>) {
  const endpoints = Object.entries(ready).map(([nodeName, isReady], index) => ({
    addresses: [`10.244.0.${index}`],
    conditions: { ready: isReady, serving: true, terminating: !isReady },
    nodeName,
  }));
  const labels = { 'kubernetes.io/service-name': 'web' };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-x7k2p', namespace: NAMESPACE, labels },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
  };
}

test('a router outside follows the endpoints of a service', { skip: cannotRun }, async () => {
  const lab = await BgpLab.start({ [FIRST]: 101, [SECOND]: 102, [ROUTER]: 103 });
  const calicoctl = (node: string, ...args: string[]) =>
    execOk([process.execPath, join(ROOT, 'packages', 'calicoctl', 'main.ts'), ...args], {
      env: {
        PATH: process.env['PATH'] ?? '',
        CALICO_RUN_DIR: lab.speaker(node).directory,
        CALICO_API_ADDRESS: `unix:${join(lab.directory, 'control', 'api.sock')}`,
      },
    });
  const file = join(lab.directory, 'kubernetes.json');
  const apply = (...items: readonly object[]) => {
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    return calicoctl(FIRST, 'apply', '-f', file);
  };
  let shown = '';
  /** Whom the router sends packets for the address to. */
  const goesTo = (...nodes: readonly string[]) =>
    eventually(
      async () => {
        shown = await lab.run(ROUTER, 'ip route show 192.0.2.7/32');
        const found = [...shown.matchAll(/via ([0-9.]+)/g)].map(([, address = '']) => address);
        const expected = nodes.map((name) => lab.speaker(name).address);
        return found.toSorted().join() === expected.toSorted().join();
      },
      30_000,
      () => `not ${nodes.join()}: ${shown}\n${lab.process(`bgp-${FIRST}`).log().slice(-3000)}`,
    );
  try {
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      serviceLoadBalancerIPs: [{ cidr: '192.0.2.0/24' }],
    });
    await lab.apply('BGPPeer', ROUTER, { peerIP: '192.168.80.103', asNumber: 65000 });
    await apply(SERVICE, slice({ [FIRST]: true }));
    const peers = NODES.map((name) => lab.speaker(name));
    const options = { blocks: [], asn: 65000 };
    await lab.startBird(ROUTER, '2', birdConfiguration('2', lab.speaker(ROUTER), peers, options));
    for (const name of NODES) lab.startBgp(name);
    await goesTo(FIRST);
    await apply(slice({ [FIRST]: true, [SECOND]: true }));
    await goesTo(FIRST, SECOND);
    await apply(slice({ [FIRST]: false, [SECOND]: true }));
    await goesTo(SECOND);
    assert.match(await lab.run(ROUTER, 'ip route show 192.0.2.0/24'), /192\.0\.2\.0\/24/);
    for (const name of NODES) assert.deepEqual(await lab.routes(name), []);
    assert.match(
      await calicoctl(FIRST, 'bgp', 'why', '192.0.2.7'),
      /load balancer address of service "shop\/web", is not announced: externalTrafficPolicy is "Local"/,
    );
    assert.match(
      await calicoctl(SECOND, 'bgp', 'why', '192.0.2.7'),
      /192\.168\.80\.103 +yes .*the address of a service[^]*"shop\/web", is announced: a ready/,
    );
    await calicoctl(FIRST, 'delete', '-f', file);
    await goesTo();
  } finally {
    await lab.stop();
  }
});
