// IPv6, next hops behind a gateway, an interface that goes, a quiet end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineMonitor } from '../lab/monitor.ts';
import { BgpLab } from './bgp_lab.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const NAMES = ['k8s-node01', 'k8s-node02'] as const;

async function withLab(run: (lab: BgpLab) => Promise<void>): Promise<void> {
  const lab = await BgpLab.start({ 'k8s-node01': 101, 'k8s-node02': 102 });
  try {
    await lab.affinity('k8s-node01', '10.244.85.192/26');
    await lab.affinity('k8s-node02', '10.244.58.192/26');
    await run(lab);
  } finally {
    await lab.stop();
  }
}

test('IPv6 blocks travel over IPv6 sessions', { skip: cannotRun }, async () => {
  await withLab(async (lab) => {
    await lab.apply('IPPool', 'six', { cidr: 'fd00:244::/112', blockSize: 122 });
    for (const [index, name] of NAMES.entries()) {
      const octet = 101 + index;
      await lab.apply('Node', name, {
        bgp: { ipv4Address: `192.168.80.${octet}/24`, ipv6Address: `fd00:80::${octet}/64` },
      });
      await lab.affinity(name, `fd00:244::${index + 1}00/122`);
      lab.startBgp(name);
    }
    const expected = [
      'blackhole fd00:244::100/122 dev lo metric 1024 pref medium',
      'fd00:244::200/122 via fd00:80::102 dev ens33 metric 1024 pref medium',
    ];
    await lab.routesBecome('k8s-node01', expected, 30_000, 6);
    await lab.routesBecome('k8s-node01', [
      '10.244.58.192/26 via 192.168.80.102 dev ens33',
      'blackhole 10.244.85.192/26',
    ]);
    const monitor = await LineMonitor.routes(lab.speaker('k8s-node01').namespace);
    for (const name of NAMES) {
      const bgp = lab.process(`bgp-${name}`);
      await bgp.stop('SIGKILL');
      bgp.start();
      await lab.sessionsAreUp(name, 2);
      await sleep(1_000);
    }
    assert.deepEqual(await monitor.stop(), []);
    await lab.run('k8s-node01', 'ip -6 route del fd00:244::200/122');
    await lab.routesBecome('k8s-node01', expected, 20_000, 6);
  });
});

test('a next hop behind a gateway is reached through it, and followed', {
  skip: cannotRun,
}, async () => {
  await withLab(async (lab) => {
    // node02's BGP address is in another network, behind its own address in this one.
    await lab.run('k8s-node02', 'ip address add 192.168.81.102/32 dev lo');
    await lab.run('k8s-node01', 'ip route add 192.168.81.102 via 192.168.80.102');
    await lab.apply('Node', 'k8s-node02', { bgp: { ipv4Address: '192.168.81.102/24' } });
    for (const name of NAMES) lab.startBgp(name);
    await lab.routesBecome(
      'k8s-node01',
      ['10.244.58.192/26 via 192.168.80.102 dev ens33', 'blackhole 10.244.85.192/26'],
      30_000,
    );
    const hops = ['192.168.80.10', '192.168.80.102'].map((hop) => `nexthop via ${hop}`);
    await lab.run('k8s-node01', `ip route replace 192.168.81.102 ${hops.join(' ')}`);
    await lab.routesBecome('k8s-node01', [
      '10.244.58.192/26',
      ...hops.map((hop) => `${hop} dev ens33 weight 1`),
      'blackhole 10.244.85.192/26',
    ]);
    await lab.run('k8s-node01', 'ip route replace 192.168.81.102 via 192.168.80.10');
    await lab.routesBecome('k8s-node01', [
      '10.244.58.192/26 via 192.168.80.10 dev ens33',
      'blackhole 10.244.85.192/26',
    ]);
    await lab.run('k8s-node01', 'ip route replace 192.168.81.102 via 192.168.80.102');
    // The kernel keeps all routes of the link, and says nothing but that there is no carrier.
    await lab.setCarrier('k8s-node01', false);
    await lab.routesBecome('k8s-node01', ['blackhole 10.244.85.192/26']);
    await lab.setCarrier('k8s-node01', true);
    await lab.routesBecome(
      'k8s-node01',
      ['10.244.58.192/26 via 192.168.80.102 dev ens33', 'blackhole 10.244.85.192/26'],
      30_000,
    );
    await lab.run('k8s-node01', 'ip link set ens33 down');
    await lab.routesBecome('k8s-node01', ['blackhole 10.244.85.192/26']);
    await lab.run('k8s-node01', 'ip link set ens33 up');
    await lab.run('k8s-node01', 'ip route add 192.168.81.102 via 192.168.80.102');
    await lab.routesBecome(
      'k8s-node01',
      ['10.244.58.192/26 via 192.168.80.102 dev ens33', 'blackhole 10.244.85.192/26'],
      30_000,
    );
  });
});

test('a stop is as quiet as a crash: routes stay on both sides', { skip: cannotRun }, async () => {
  await withLab(async (lab) => {
    for (const name of NAMES) lab.startBgp(name);
    await lab.routesBecome(
      'k8s-node02',
      ['10.244.85.192/26 via 192.168.80.101 dev ens33', 'blackhole 10.244.58.192/26'],
      30_000,
    );
    const monitors = await Promise.all(
      NAMES.map((name) => LineMonitor.routes(lab.speaker(name).namespace)),
    );
    const bgp = lab.process('bgp-k8s-node01');
    await bgp.stop('SIGTERM');
    await sleep(1_000);
    bgp.start();
    for (const name of NAMES) await lab.sessionsAreUp(name, 1);
    await sleep(2_000);
    assert.deepEqual((await Promise.all(monitors.map((each) => each.stop()))).flat(), []);
  });
});

test('whoever connects to the port and talks nonsense disturbs no session', {
  skip: cannotRun,
}, async () => {
  await withLab(async (lab) => {
    for (const name of NAMES) lab.startBgp(name);
    const expected = [
      '10.244.85.192/26 via 192.168.80.101 dev ens33',
      'blackhole 10.244.58.192/26',
    ];
    await lab.routesBecome('k8s-node02', expected, 30_000);
    const client = lab.bgpClient('k8s-node02');
    const before = (await client.listPeers({})).peers[0]?.since;
    const script = `for i in 1 2 3 4 5; do
      timeout 1 bash -c 'exec 3<>/dev/tcp/192.168.80.102/179; sleep 0.1'
      timeout 1 bash -c 'exec 3<>/dev/tcp/192.168.80.102/179; echo GET / >&3; cat <&3' > /dev/null
    done; true`;
    for (const from of ['k8s-node01', 'control']) {
      await lab.exec(from, ['bash', '-c', script]);
    }
    const [peer] = (await client.listPeers({})).peers;
    assert.equal(peer?.state, 'Established');
    assert.deepEqual(peer?.since, before);
    await lab.routesBecome('k8s-node02', expected);
  });
});
