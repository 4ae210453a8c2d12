// Our speakers among themselves, as processes on real TCP and a real kernel.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineMonitor } from '../lab/monitor.ts';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const NODES = { 'k8s-master': 100, 'k8s-node01': 101, 'k8s-node02': 102 };
const NAMES = Object.keys(NODES);
const MASTER_BLOCK = '10.244.235.192/26';

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'k8s-master': [
    '10.244.58.192/26 via 192.168.80.102 dev ens33',
    '10.244.85.192/26 via 192.168.80.101 dev ens33',
    'blackhole 10.244.235.192/26',
  ],
  'k8s-node01': [
    '10.244.235.192/26 via 192.168.80.100 dev ens33',
    '10.244.58.192/26 via 192.168.80.102 dev ens33',
    'blackhole 10.244.85.192/26',
  ],
  'k8s-node02': [
    '10.244.235.192/26 via 192.168.80.100 dev ens33',
    '10.244.85.192/26 via 192.168.80.101 dev ens33',
    'blackhole 10.244.58.192/26',
  ],
};

let lab: BgpLab;

before(async () => {
  if (cannotRun !== false) return;
  lab = await BgpLab.start(NODES);
  await lab.affinity('k8s-master', MASTER_BLOCK);
  await lab.affinity('k8s-node01', '10.244.85.192/26');
  await lab.affinity('k8s-node02', '10.244.58.192/26');
  for (const name of NAMES) lab.startBgp(name);
});

after(async () => {
  await lab?.stop();
});

async function allBecome(): Promise<void> {
  await Promise.all(NAMES.map((name) => lab.routesBecome(name, EXPECTED[name] ?? [], 30_000)));
}

test('three nodes get the routes of the walk-through', { skip: cannotRun }, async () => {
  await allBecome();
  const { peers } = await lab.bgpClient('k8s-node02').listPeers({});
  assert.deepEqual(
    peers.map(({ address, state, lastError, remoteNode }) => [
      address,
      state,
      lastError,
      remoteNode,
    ]),
    [
      ['192.168.80.100', 'Established', '', 'k8s-master'],
      ['192.168.80.101', 'Established', '', 'k8s-node01'],
    ],
  );
});

test('kill -9 and restart of a speaker changes no route anywhere', {
  skip: cannotRun,
}, async () => {
  await allBecome();
  const monitors = await Promise.all(
    NAMES.map((name) => LineMonitor.routes(lab.speaker(name).namespace)),
  );
  for (const name of NAMES) {
    const bgp = lab.process(`bgp-${name}`);
    await bgp.stop('SIGKILL');
    await sleep(200);
    bgp.start();
    await lab.sessionsAreUp(name, 2);
  }
  await sleep(1_000);
  const changed = (await Promise.all(monitors.map((monitor) => monitor.stop()))).flat();
  assert.deepEqual(changed, []);
  await allBecome();
});

test('a route that someone deletes is restored and reported', {
  skip: cannotRun,
}, async () => {
  await allBecome();
  await lab.run('k8s-master', 'ip route del 10.244.85.192/26');
  await lab.run('k8s-master', 'ip route del blackhole 10.244.235.192/26');
  await lab.routesBecome('k8s-master', EXPECTED['k8s-master'] ?? []);
  await eventually(
    () => /removed or changed by someone else/.test(lab.process('bgp-k8s-master').log()),
    10_000,
    () => 'it is not reported',
  );
});

test('a route of another owner is not touched', { skip: cannotRun }, async () => {
  await lab.run('k8s-master', 'ip route add 10.244.77.0/26 dev ens33 proto static');
  await lab.affinity('k8s-node01', '10.244.77.0/26');
  await lab.routesBecome('k8s-node02', [
    ...(EXPECTED['k8s-node02'] ?? []),
    '10.244.77.0/26 via 192.168.80.101 dev ens33',
  ]);
  // What is told later is there.
  const later = '10.244.79.0/26';
  await lab.affinity('k8s-node01', later);
  const laterRoute = `${later} via 192.168.80.101 dev ens33`;
  await lab.routesBecome('k8s-master', [...(EXPECTED['k8s-master'] ?? []), laterRoute]);
  assert.match(await lab.run('k8s-master', 'ip route'), /10.244.77.0\/26 dev ens33 proto static/);
  await lab.run('k8s-master', 'ip route del 10.244.77.0/26');
  await lab.routesBecome('k8s-master', [
    ...(EXPECTED['k8s-master'] ?? []),
    '10.244.77.0/26 via 192.168.80.101 dev ens33',
    laterRoute,
  ]);
  for (const block of ['10.244.77.0/26', later]) await lab.release('k8s-node01', block);
  await allBecome();
});

test('without NATS and api a restarted speaker speaks on, and catches up later', {
  skip: cannotRun,
}, async () => {
  await allBecome();
  const written = join(lab.speaker('k8s-master').directory, 'bgp', 'resources.json');
  await eventually(
    () => {
      const text = existsSync(written) ? readFileSync(written, 'utf8') : '';
      return [...Object.values(NODES).map((octet) => `192.168.80.${octet}/24`), MASTER_BLOCK].every(
        (each) => text.includes(each),
      );
    },
    20_000,
    () => 'what the node knows is not written down',
  );
  const monitor = await LineMonitor.routes(lab.speaker('k8s-node02').namespace);
  for (const service of ['nats', 'api']) await lab.process(service).stop('SIGKILL');
  const bgp = lab.process('bgp-k8s-master');
  await bgp.stop('SIGKILL');
  bgp.start();
  await lab.sessionsAreUp('k8s-master', 2);
  assert.deepEqual(await monitor.stop(), []);
  for (const service of ['nats', 'api']) lab.process(service).start();
  await lab.affinity('k8s-node01', '10.244.9.0/26');
  await lab.routesBecome(
    'k8s-master',
    [...(EXPECTED['k8s-master'] ?? []), '10.244.9.0/26 via 192.168.80.101 dev ens33'],
    30_000,
  );
  await lab.release('k8s-node01', '10.244.9.0/26');
  await allBecome();
});
