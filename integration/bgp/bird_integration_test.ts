// Our speaker between another of ours and stock BIRD, set up as upstream sets it up on its nodes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineMonitor } from '../lab/monitor.ts';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';
import { birdConfiguration } from './bird_configuration.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = ['k8s-node01', 'k8s-node02'] as const;

const AT_NODE01 = [
  '10.244.235.192/26 via 192.168.80.100 dev ens33',
  '10.244.58.192/26 via 192.168.80.102 dev ens33',
  'blackhole 10.244.85.192/26',
];

for (const version of ['2', '1.6'] as const) {
  // BIRD once with the lowest and once with the highest address: who decides collisions differs.
  for (const octet of [100, 103] as const) {
    test(`BIRD ${version} at .${octet}`, { skip: cannotRun }, async (t) => {
      const nodes = { bird: octet, 'k8s-node01': 101, 'k8s-node02': 102 };
      const lab = await BgpLab.start(nodes);
      try {
        await scenario(lab, version, octet, t);
      } finally {
        await lab.stop();
      }
    });
  }
}

type Context = { test(name: string, run: () => Promise<void>): Promise<void> };

async function scenario(
  lab: BgpLab,
  version: '2' | '1.6',
  octet: number,
  t: Context,
): Promise<void> {
  const expected = AT_NODE01.map((line) => line.replace('80.100', `80.${octet}`)).toSorted();
  await lab.affinity('k8s-node01', '10.244.85.192/26');
  await lab.affinity('k8s-node02', '10.244.58.192/26');
  const peers = OURS.map((name) => lab.speaker(name));
  const configuration = birdConfiguration(version, lab.speaker('bird'), peers, {
    blocks: ['10.244.235.192/26'],
  });
  for (const name of OURS) lab.startBgp(name);
  const bird = await lab.startBird('bird', version, configuration);

  await t.test('routes travel both ways', async () => {
    await lab.routesBecome('k8s-node01', expected, 30_000);
    await lab.routesBecome('k8s-node02', [
      `10.244.235.192/26 via 192.168.80.${octet} dev ens33`,
      '10.244.85.192/26 via 192.168.80.101 dev ens33',
      'blackhole 10.244.58.192/26',
    ]);
    const metric = version === '2' ? ' metric 32' : '';
    await lab.routesBecome('bird', [
      `10.244.58.192/26 via 192.168.80.102 dev ens33${metric}`,
      `10.244.85.192/26 via 192.168.80.101 dev ens33${metric}`,
      `blackhole 10.244.235.192/26${metric}`,
    ]);
  });

  await t.test('kill -9 and restart of ours changes no route anywhere', async () => {
    const monitors = await watch(lab, ['bird', ...OURS]);
    const bgp = lab.process('bgp-k8s-node01');
    await bgp.stop('SIGKILL');
    await sleep(500);
    bgp.start();
    await established(lab, 'k8s-node01', 2);
    await sleep(3_000);
    assert.deepEqual(await changes(monitors), []);
    await lab.routesBecome('k8s-node01', expected);
  });

  await t.test('kill -9 and restart of BIRD changes no route anywhere', async () => {
    const monitors = await watch(lab, ['bird', ...OURS]);
    await bird.stop('SIGKILL');
    await eventually(
      async () => (await peersUp(lab, 'k8s-node01')) === 1,
      20_000,
      () => 'the loss of BIRD is not noticed',
    );
    bird.start();
    await established(lab, 'k8s-node01', 2);
    await established(lab, 'k8s-node02', 2);
    await sleep(3_000);
    assert.deepEqual(await changes(monitors), []);
    await lab.routesBecome('k8s-node01', expected);
  });

  await t.test('what BIRD withdraws and announces is followed', async () => {
    await lab.birdc('bird', 'disable blocks');
    await lab.routesBecome(
      'k8s-node01',
      expected.filter((line) => !line.includes('10.244.235')),
    );
    await lab.birdc('bird', 'enable blocks');
    await lab.routesBecome('k8s-node01', expected);
  });

  await t.test('BIRD that is asked to refresh, and that asks', async () => {
    await lab.birdc('bird', 'reload in Mesh_192_168_80_101');
    await lab.birdc('bird', 'reload out Mesh_192_168_80_101');
    await sleep(500);
    await lab.routesBecome('k8s-node01', expected);
    await established(lab, 'k8s-node01', 2);
  });

  await t.test('BIRD that shuts down takes its routes along at once', async () => {
    await lab.birdc('bird', 'disable Mesh_192_168_80_101');
    await lab.routesBecome(
      'k8s-node01',
      expected.filter((line) => !line.includes('10.244.235')),
    );
    await lab.birdc('bird', 'enable Mesh_192_168_80_101');
    await lab.routesBecome('k8s-node01', expected, 30_000);
  });

  if (octet !== 100) return;
  await t.test('BIRD takes two blocks side by side as one route, and two again', async () => {
    const metric = version === '2' ? ' metric 32' : '';
    const others = [
      `10.244.58.192/26 via 192.168.80.102 dev ens33${metric}`,
      `blackhole 10.244.235.192/26${metric}`,
    ];
    const via = (cidr: string, last: number): string =>
      `${cidr} via 192.168.80.${last} dev ens33${metric}`;
    const [monitor] = await watch(lab, ['bird']);
    await lab.affinity('k8s-node01', '10.244.85.128/26');
    await lab.routesBecome('bird', [via('10.244.85.128/25', 101), ...others].toSorted(), 20_000);
    await lab.release('k8s-node01', '10.244.85.192/26');
    await lab.affinity('k8s-node02', '10.244.85.192/26');
    const split = [via('10.244.85.128/26', 101), via('10.244.85.192/26', 102)];
    await lab.routesBecome('bird', [...split, ...others].toSorted(), 20_000);
    const seen = (await monitor?.stop()) ?? [];
    const at = (start: string): number => seen.findIndex((line) => line.startsWith(start));
    const merged = at('10.244.85.128/25');
    assert.ok(merged >= 0 && merged < at('Deleted 10.244.85.192/26'), seen.join('\n'));
    assert.ok(at('10.244.85.128/26') < at('Deleted 10.244.85.128/25'), seen.join('\n'));
  });
}

async function watch(lab: BgpLab, names: readonly string[]): Promise<LineMonitor[]> {
  return Promise.all(names.map((name) => LineMonitor.routes(lab.speaker(name).namespace)));
}

async function changes(monitors: readonly LineMonitor[]): Promise<string[]> {
  return (await Promise.all(monitors.map((monitor) => monitor.stop()))).flat();
}

async function peersUp(lab: BgpLab, name: string): Promise<number> {
  const client = lab.bgpClient(name);
  const { peers } = await client.listPeers({}).catch(() => ({ peers: [] }));
  return peers.filter(({ state }) => state === 'Established').length;
}

async function established(lab: BgpLab, name: string, count: number): Promise<void> {
  await eventually(
    async () => (await peersUp(lab, name)) === count,
    20_000,
    () => `sessions of ${name} are not up: ${lab.process(`bgp-${name}`).log().slice(-4000)}`,
  );
}
