// kill -9 and restart of every service under a 10 ms ping: no packet lost, no route or rule flaps.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, Lab, LineMonitor, type Pod, ping } from '../lab/mod.ts';

const SECONDS_PER_RESTART = 4;

let lab: Lab;
let from: Pod;
let to: Pod;

before(async () => {
  lab = await Lab.start({ mode: 'bgp' });
  await lab.configure();
  from = await lab.addPod('from', 'k8s-node01');
  to = await lab.addPod('to', 'k8s-node02');
  assert.equal((await ping(from.netns, to.ip, { count: 3, timeoutSeconds: 3 })).received, 3);
  await sleep(2000); // what still settles after the start is not this test's concern
});

after(async () => {
  await lab?.stop();
});

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
    const namespaces = [from.node.namespace, to.node.namespace];
    const routes = await Promise.all(namespaces.map((name) => LineMonitor.routes(name)));
    const rules = await Promise.all(namespaces.map((name) => LineMonitor.packetFilter(name)));
    const probe = ping(from.netns, to.ip, {
      count: SECONDS_PER_RESTART * 100,
      intervalSeconds: 0.01,
      timeoutSeconds: 2,
    });
    await sleep(500);
    const managed = lab.process(service, node);
    await managed.stop('SIGKILL');
    await sleep(500);
    lab.startProcess(managed);
    await lab.ready();
    const { sent, received } = await probe;
    const changed = await Promise.all([...routes, ...rules].map((monitor) => monitor.stop()));
    assert.equal(received, sent, `${sent - received} of ${sent} packets lost`);
    assert.deepEqual(changed.flat(), [], 'no route and no rule changes');
  });
}

test('sessions are Established soon after both ends are up', async () => {
  const managed = lab.process('bgp', 'k8s-node01');
  const said = managed.log().length;
  await managed.stop('SIGKILL');
  lab.startProcess(managed);
  const log = (): string => managed.log().slice(said);
  await eventually(
    () => log().split('"message":"session established"').length === 3,
    15_000,
    () => `2 sessions expected: ${log()}`,
  );
});

test('the monitors of this file see a route and a rule that do change', async () => {
  const { namespace, name } = from.node;
  const monitors = await Promise.all([
    LineMonitor.routes(namespace),
    LineMonitor.packetFilter(namespace),
  ]);
  await lab.exec(name, ['ip', 'route', 'add', '198.51.100.0/24', 'dev', 'lo']);
  await lab.exec(name, ['nft', 'add', 'table', 'inet', 'seen']);
  await sleep(300);
  const [routes, rules] = await Promise.all(monitors.map((monitor) => monitor.stop()));
  assert.match(routes?.join('\n') ?? '', /198\.51\.100\.0/);
  assert.match(rules?.join('\n') ?? '', /seen/);
});
