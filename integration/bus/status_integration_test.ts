// api and status as processes: from a change through gRPC to "in force on all nodes".
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { StatusService } from '@calico/proto/status/v1/status';
import { connectRpc } from '@calico/rpc';
import { freePorts } from '../store/free_ports.ts';
import { Rig, until } from './rig.ts';
import { SKIP } from './servers.ts';

/** Of a busy machine. */
const CALL_MS = 60_000;
const API_VERSION = 'projectcalico.org/v3';

type Started = { readonly address: string; stop(): Promise<void> };

async function startService(
  name: string,
  environment: Record<string, string>,
  context: TestContext,
): Promise<Started> {
  const [address, http] = (await freePorts(2)).map((port) => `127.0.0.1:${port}`) as [
    string,
    string,
  ];
  const path = fileURLToPath(new URL(`../../services/${name}/main.ts`, import.meta.url));
  const command = 'Deno' in globalThis ? ['run', '-A', '--no-check', path] : [path];
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'ignore', process.env['RIG_LOG'] === undefined ? 'ignore' : 'inherit'],
    env: {
      ...process.env,
      ...environment,
      CALICO_LISTEN: address,
      CALICO_HTTP_LISTEN: http,
    },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  context.after(() => child.kill('SIGKILL'));
  return {
    address,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function answers(call: () => Promise<unknown>): Promise<boolean> {
  return call().then(
    () => true,
    () => false,
  );
}

function nodeResource(name: string) {
  const document = { apiVersion: API_VERSION, kind: 'Node', metadata: { name }, spec: {} };
  return { kind: 'Node', name, json: JSON.stringify(document) };
}

test('a change is waited for until every node has it in force', { skip: SKIP }, async (context) => {
  const rig = await Rig.start(context);
  const patient = { ETCD_TIMEOUT_SECONDS: '60' };
  const api = await startService(
    'api',
    { ...patient, ETCD_ENDPOINTS: `http://${rig.etcd.url}`, NATS_URL: `nats://${rig.nats.url}` },
    context,
  );
  const status = await startService(
    'status',
    { NATS_URL: `nats://${rig.nats.url}`, CALICO_API_ADDRESS: api.address },
    context,
  );
  const resources = connectRpc(ResourceService, api.address, { timeoutMs: CALL_MS });
  const statuses = connectRpc(StatusService, status.address, { timeoutMs: CALL_MS });
  context.after(() => {
    resources.close();
    statuses.close();
  });
  await until('api', () => answers(() => resources.list({ kind: 'Node' })));
  await until('status', () => answers(() => statuses.listNodes({})));

  let revision = 0n;
  for (const name of ['n1', 'n2']) {
    const { resource } = await resources.apply({ resource: nodeResource(name) });
    revision = resource?.revision ?? 0n;
  }
  const node = rig.connect('nodes');
  const seen: string[] = [];
  const waiting = (async () => {
    const targets = [{ kind: 'Node', revision }];
    for await (const { nodesApplied, nodesTotal, waitingFor } of statuses.waitApplied(
      { targets },
      { timeoutMs: 300_000 },
    )) {
      seen.push(`${nodesApplied}/${nodesTotal} ${waitingFor.join(' ')}`.trim());
    }
  })();
  waiting.catch(() => {}); // until it is awaited
  const apply = (name: string, component: string, applied: bigint, inSync = true): void =>
    node.report(name, 'applied', { component, revision: applied, inSync });
  apply('n1', 'felix', revision);
  apply('n1', 'bgp', revision);
  await until('one of two', () => seen.at(-1) === '1/2 n2 (felix, bgp)');
  apply('n2', 'felix', revision + 5n, false);
  apply('n2', 'bgp', revision - 1n);
  apply('n2', 'felix', revision + 5n);
  apply('n2', 'bgp', revision);
  await waiting;
  assert.equal(seen.at(-1), '2/2');

  node.report('n1', 'health', { component: 'felix', ready: true });
  node.report('n1', 'health', { component: 'bgp', ready: true });
  node.report('n1', 'peers', { peers: [{ address: '10.0.0.2', state: 'Established' }] });
  // Reports of several topics are under way at once.
  await until('n1 ready', async () => {
    const { nodes } = await statuses.listNodes({});
    const n1 = nodes.find((each) => each.node === 'n1');
    return n1?.ready === true && n1.peersEstablished === 1;
  });
  const { nodes } = await statuses.listNodes({});
  assert.deepEqual(
    nodes.map((each) => [each.node, each.ready]),
    [
      ['n1', true],
      ['n2', false],
    ],
  );
  const peers = await statuses.listPeers({ node: 'n1' });
  assert.equal(peers.nodes[0]?.peers[0]?.address, '10.0.0.2');

  // NATS forgets everything: status and the reports come back by themselves.
  await rig.nats.stop('SIGKILL');
  await rig.nats.dropData();
  await rig.nats.start();
  const later = await resources.apply({ resource: nodeResource('n3') });
  apply('n3', 'felix', later.resource?.revision ?? 0n);
  await until('n3', async () => {
    const listed = await statuses.listNodes({});
    return listed.nodes.find((each) => each.node === 'n3')?.applied.length === 1;
  });
  await Promise.all([api.stop(), status.stop()]);
});
