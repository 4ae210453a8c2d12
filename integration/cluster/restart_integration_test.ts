// kill -9 and restart of every service under a 10 ms ping: no packet lost, no route or rule flaps.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  changesOf,
  eventually,
  Lab,
  type ManagedProcess,
  monitorsOf,
  type Pod,
  ping,
  Traffic,
  untilQuiet,
  WAIT_FLAGS,
} from '../lab/mod.ts';
import { peersHeardBy } from './bgp_log.ts';

let lab: Lab;
let from: Pod;
let to: Pod;

before(async () => {
  lab = await Lab.start({ mode: 'bgp' });
  await lab.configure();
  from = await lab.addPod('from', 'k8s-node01');
  to = await lab.addPod('to', 'k8s-node02');
  await eventually(
    async () => (await ping(from.netns, to.ip, { count: 3 })).received === 3,
    20_000,
    () => 'the pods do not reach each other',
  );
  // What still settles after the start is not this test's concern.
  await untilQuiet(namespaces());
});

after(async () => {
  await lab?.stop();
});

const namespaces = (): string[] => [from.node.namespace, to.node.namespace];

/** Starts bgp that has ended, and waits for the routes of both peers. */
async function startBgp(managed: ManagedProcess): Promise<void> {
  const known = managed.log().length;
  lab.startProcess(managed);
  const log = (): string => managed.log().slice(known);
  await eventually(
    () => peersHeardBy(log()).size === 2,
    30_000,
    () => `the routes of 2 peers expected: ${log()}`,
  );
}

let applied = 0;

/** Resolves when all nodes have followed a change that concerns none of them. */
async function follow(): Promise<void> {
  const set = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: followed}
spec: {nets: [192.0.2.${applied++}/32]}
`;
  const said = await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], { input: set });
  assert.match(said, /3\/3 nodes/);
}

const CASES = [
  ['api', 'control'],
  ['ipam', 'control'],
  ['status', 'control'],
  ['felix', 'k8s-node01'],
  ['felix', 'k8s-node02'],
  ['bgp', 'k8s-node01'],
  ['bgp', 'k8s-node02'],
] as const;

for (const [service, node] of CASES) {
  test(`kill -9 and restart of ${service} on ${node} is not noticed`, async () => {
    const watching = await monitorsOf(namespaces());
    const traffic = await Traffic.start(from.netns, to.ip);
    const managed = lab.process(service, node);
    await managed.stop('SIGKILL');
    await sleep(500);
    if (service === 'bgp') await startBgp(managed);
    else lab.startProcess(managed);
    await lab.ready();
    if (node !== 'control') await follow();
    const { sent, lost } = await traffic.stop();
    assert.deepEqual(lost, [], `packets lost, of ${sent}`);
    assert.deepEqual(await changesOf(watching), [], 'no route and no rule changes');
  });
}

test('the monitors of this file see a route and a rule that do change', async () => {
  const { namespace, name } = from.node;
  const watching = await monitorsOf([namespace]);
  await lab.exec(name, ['ip', 'route', 'add', '198.51.100.0/24', 'dev', 'lo']);
  await lab.exec(name, ['nft', 'add', 'table', 'inet', 'seen']);
  const [routes, rules] = await Promise.all(watching.map((monitor) => monitor.stop()));
  assert.match(routes?.join('\n') ?? '', /198\.51\.100\.0/);
  assert.match(rules?.join('\n') ?? '', /seen/);
});
