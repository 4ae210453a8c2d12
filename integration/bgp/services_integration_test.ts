// Addresses of services of Kubernetes, as a router outside of the cluster learns them.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, execOk, ROOT } from '../lab/mod.ts';
import { BgpLab } from './bgp_lab.ts';
import { birdConfiguration } from './bird_configuration.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const NODES = ['k8s-node01', 'k8s-node02'] as const;
const [FIRST, SECOND] = NODES;
const ROUTER = 'tor';

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
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

const SLICE = {
  name: 'web-x7k2p',
  namespace: 'shop',
  labels: { 'kubernetes.io/service-name': 'web' },
};

/** What an EndpointSlice says, with an endpoint on each node. */
function endpoints(ready: Readonly<Record<string, boolean>>) {
  const each = Object.entries(ready).map(([nodeName, isReady], index) => ({
    addresses: [`10.244.0.${index}`],
    conditions: { ready: isReady, serving: true, terminating: !isReady },
    nodeName,
  }));
  return { addressType: 'IPv4', endpoints: each };
}

test('a router outside follows the endpoints of a service', { skip: cannotRun }, async () => {
  const lab = await BgpLab.start({ [FIRST]: 101, [SECOND]: 102, [ROUTER]: 103 });
  /** Kubernetes' own documents, as `kubectl get -o json` gives them. */
  const apply = async (...items: readonly object[]) => {
    const file = join(lab.directory, 'kubernetes.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    const program = join(ROOT, 'packages', 'calicoctl', 'main.ts');
    await execOk([process.execPath, program, 'apply', '-f', file], {
      env: {
        PATH: process.env['PATH'] ?? '',
        CALICO_API_ADDRESS: `unix:${join(lab.directory, 'control', 'api.sock')}`,
      },
    });
  };
  const move = (ready: Readonly<Record<string, boolean>>) => {
    const { name, ...metadata } = SLICE;
    return lab.apply('KubernetesEndpointSlice', name, endpoints(ready), metadata);
  };
  const why = async (node: string) =>
    (await lab.bgpClient(node).explain({ prefix: '192.0.2.7' })).services.join();
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
      60_000,
      () => `not ${nodes.join()}: ${shown}\n${lab.process(`bgp-${FIRST}`).log().slice(-3000)}`,
    );
  /** A process that starts while nobody can tell it anything announces what the one before did. */
  const isRemembered = async () => {
    const remembered = join(lab.speaker(SECOND).directory, 'bgp', 'services.json');
    await eventually(
      () => existsSync(remembered) && readFileSync(remembered, 'utf8').includes('192.0.2.7/32'),
      20_000,
      () => 'the address is not remembered',
    );
    for (const name of ['nats', 'api', `bgp-${SECOND}`]) await lab.process(name).stop('SIGKILL');
    lab.process(`bgp-${SECOND}`).start();
    const client = lab.bgpClient(SECOND);
    await eventually(
      async () => {
        const answer = await client.explain({ prefix: '192.0.2.7/32' }).catch(() => undefined);
        return answer?.exports.some(({ exported }) => exported) ?? false;
      },
      60_000,
      () => lab.process(`bgp-${SECOND}`).log().slice(-3000),
    );
    await goesTo(SECOND);
  };
  try {
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      serviceLoadBalancerIPs: [{ cidr: '192.0.2.0/24' }],
    });
    await lab.apply('BGPPeer', ROUTER, { peerIP: '192.168.80.103', asNumber: 65000 });
    const kind = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' };
    await apply(SERVICE, { ...kind, metadata: SLICE, ...endpoints({ [FIRST]: true }) });
    const peers = NODES.map((name) => lab.speaker(name));
    const options = { blocks: [], asn: 65000 };
    await lab.startBird(ROUTER, '2', birdConfiguration('2', lab.speaker(ROUTER), peers, options));
    for (const name of NODES) lab.startBgp(name);
    await goesTo(FIRST);
    await move({ [FIRST]: true, [SECOND]: true });
    await goesTo(FIRST, SECOND);
    await move({ [FIRST]: false, [SECOND]: true });
    await goesTo(SECOND);
    await eventually(
      async () => /192\.0\.2\.0\/24/.test(await lab.run(ROUTER, 'ip route show 192.0.2.0/24')),
      20_000,
      () => 'the router has no route to the range',
    );
    for (const name of NODES) assert.deepEqual(await lab.routes(name), []);
    assert.match(
      await why(FIRST),
      /"shop\/web", is not announced: .* no ready endpoint is on this/,
    );
    assert.match(await why(SECOND), /"shop\/web", is announced: a ready endpoint is on this node/);
    await move({});
    await goesTo();
    await move({ [SECOND]: true });
    await goesTo(SECOND);
    await isRemembered();
  } finally {
    await lab.stop();
  }
});
