// Links without addresses of their own: both ends find each other by router advertisements. About 40 s.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execOk } from '../lab/exec.ts';
import { LineMonitor } from '../lab/monitor.ts';
import { eventually, patient } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';
import { FrrRouter } from './frr_router.ts';
import { undisturbed } from './undisturbed.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = 'k8s-node01';
const SECOND = 'k8s-node02';
const FRR = 'frr';
const OUR_BLOCK = '10.244.85.192/26';
const THEIR_BLOCK = '10.244.58.192/26';
const OUR_BLOCK6 = 'fd00:10:244::/122';
const CHANGED = 'fe80::c0:ffee';

const CONFIGURATION = `frr defaults traditional
router bgp 65000
 bgp router-id 192.168.80.100
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 coalesce-time 50
 neighbor eth1 interface remote-as external
 neighbor eth1 timers connect 1
 neighbor eth1 bfd 3 300 300
 neighbor eth1 advertisement-interval 0
 address-family ipv4 unicast
  network 172.30.0.0/24
  neighbor eth1 activate
 exit-address-family
 address-family ipv6 unicast
  network fd00:30::/64
  neighbor eth1 activate
 exit-address-family
`;

test('FRR at the other end of a link without addresses', { skip: cannotRun }, async (t) => {
  const lab = await BgpLab.start({ [FRR]: 100, [OURS]: 101 });
  try {
    await lab.apply('IPPool', 'outside', { cidr: '172.30.0.0/16', blockSize: 26 });
    await lab.apply('IPPool', 'outside6', { cidr: 'fd00:30::/64', blockSize: 122 });
    await lab.apply('IPPool', 'six', { cidr: 'fd00:10:244::/64', blockSize: 122 });
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      nodeToNodeMeshEnabled: false,
    });
    await lab.apply('BGPPeer', 'leaf', {
      peerInterface: 'eth1',
      remoteAS: 'External',
      bfd: { enabled: true },
    });
    await lab.affinity(OURS, OUR_BLOCK);
    await lab.affinity(OURS, OUR_BLOCK6);
    await joinByLink(lab, FRR);
    lab.startBgp(OURS);
    const frr = new FrrRouter(lab, FRR, CONFIGURATION);
    await frr.start();
    await scenario(lab, frr, t);
  } finally {
    await lab.stop();
  }
});

type Context = { test(name: string, run: () => Promise<void>): Promise<void> };

async function scenario(lab: BgpLab, frr: FrrRouter, t: Context): Promise<void> {
  const client = lab.bgpClient(OURS);

  async function peer(): Promise<string> {
    const answer = await client.listPeers({}).catch(() => undefined);
    return answer === undefined ? 'away' : answer.peers.map((each) => each.state).join();
  }

  /** Both families go to the address, and both come from us. */
  async function routesGoBetween(ours: string, theirs: string): Promise<void> {
    const expected = [`blackhole ${OUR_BLOCK}`, `172.30.0.0/24 via inet6 ${theirs} dev eth1`];
    await lab.routesBecome(OURS, expected, 30_000);
    let seen = '';
    await eventually(
      async () => {
        const six = await lab.routes(OURS, 6);
        const back = await frr.show(`bgp ipv4 unicast ${OUR_BLOCK}`);
        const back6 = await frr.show(`bgp ipv6 unicast ${OUR_BLOCK6}`);
        seen = [...six, back, back6, await frr.show('bgp summary'), await peer()].join('\n');
        return (
          six.some((route) => route.startsWith(`fd00:30::/64 via ${theirs} dev eth1`)) &&
          [back, back6].every((text) => text.includes(`${ours} from eth1`))
        );
      },
      30_000,
      () => `routes are ${seen}\n${lab.process(`bgp-${OURS}`).log().slice(-2000)}\n${frr.log()}`,
    );
  }

  await t.test('each finds the other, and packets take the link', async () => {
    const [ours, theirs] = [
      await lab.linkLocalOf(OURS, 'eth1'),
      await lab.linkLocalOf(FRR, 'eth1'),
    ];
    await routesGoBetween(ours, theirs);
    const { peers } = await client.listPeers({});
    assert.equal(peers[0]?.remoteAsn, 65_000);
    await lab.run(OURS, 'ip address add 10.244.85.193/32 dev lo');
    await lab.run(FRR, 'ip address add 172.30.0.1/32 dev lo');
    await eventually(
      () =>
        lab.run(FRR, 'ping -c 1 -W 1 -I 172.30.0.1 10.244.85.193').then(
          () => true,
          () => false,
        ),
      20_000,
      () => 'no packet comes back',
    );
  });

  await t.test('FRR stops, and BFD tells', async () => {
    const [ours, theirs] = [
      await lab.linkLocalOf(OURS, 'eth1'),
      await lab.linkLocalOf(FRR, 'eth1'),
    ];
    await pathBecomes(lab, OURS, 'Up');
    frr.signal('SIGSTOP');
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`], 30_000);
    await isBlamedOnBfd(lab);
    frr.signal('SIGCONT');
    await routesGoBetween(ours, theirs);
    await pathBecomes(lab, OURS, 'Up');
  });

  await t.test('FRR gets another address', async () => {
    const [ours, before] = [
      await lab.linkLocalOf(OURS, 'eth1'),
      await lab.linkLocalOf(FRR, 'eth1'),
    ];
    await lab.run(FRR, `ip address add ${CHANGED}/64 dev eth1 nodad`);
    await lab.run(FRR, `ip address del ${before}/64 dev eth1`);
    await routesGoBetween(ours, CHANGED);
  });

  await t.test('this end gets another address', async () => {
    const before = await lab.linkLocalOf(OURS, 'eth1');
    await lab.run(OURS, `ip address add fe80::beef/64 dev eth1 nodad`);
    await lab.run(OURS, `ip address del ${before}/64 dev eth1`);
    await routesGoBetween('fe80::beef', CHANGED);
  });

  await t.test('the link goes and comes back', async () => {
    await lab.run(FRR, 'ip link set eth1 down');
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`], 30_000);
    await lab.run(FRR, 'ip link set eth1 up');
    const theirs = await lab.linkLocalOf(FRR, 'eth1');
    await routesGoBetween('fe80::beef', theirs);
  });

  await t.test('a peer that is not wanted any more is gone', async () => {
    await lab.delete('BGPPeer', 'leaf');
    await eventually(
      async () => (await peer()) === '',
      20_000,
      () => 'the peer stays',
    );
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`]);
  });
}

test('two speakers of ours at the ends of a link without addresses', {
  skip: cannotRun,
}, async (t) => {
  const lab = await BgpLab.start({ [OURS]: 101, [SECOND]: 102 });
  try {
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      nodeToNodeMeshEnabled: false,
      bfd: { enabled: true },
    });
    await lab.apply('BGPPeer', 'link', { peerInterface: 'eth1', remoteAS: 'Internal' });
    await lab.affinity(OURS, OUR_BLOCK);
    await lab.affinity(SECOND, THEIR_BLOCK);
    await joinByLink(lab, SECOND);
    for (const name of [OURS, SECOND]) lab.startBgp(name);
    await between(lab, t);
  } finally {
    await lab.stop();
  }
});

async function between(lab: BgpLab, t: Context): Promise<void> {
  const service = `bgp-${SECOND}`;
  const far = await lab.linkLocalOf(SECOND, 'eth1');
  const near = await lab.linkLocalOf(OURS, 'eth1');
  const ours = [`${THEIR_BLOCK} via inet6 ${far} dev eth1`, `blackhole ${OUR_BLOCK}`];
  const theirs = [`${OUR_BLOCK} via inet6 ${near} dev eth1`, `blackhole ${THEIR_BLOCK}`];

  async function areUp(): Promise<void> {
    await lab.routesBecome(OURS, ours, 30_000);
    await lab.routesBecome(SECOND, theirs, 30_000);
    for (const name of [OURS, SECOND]) await pathBecomes(lab, name, 'Up');
  }

  await t.test('they find each other', areUp);

  await t.test('one that stops is noticed by BFD', async () => {
    const pid = lab.process(service).pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`], 30_000);
    await isBlamedOnBfd(lab);
    process.kill(pid, 'SIGCONT');
    await areUp();
  });

  await t.test('one that is killed and comes back disturbs no route', () => undisturbed(restarts));

  /** Answers which routes changed. */
  async function restarts(): Promise<readonly string[]> {
    const monitors = await Promise.all(
      [OURS, SECOND].map((name) => LineMonitor.routes(lab.speaker(name).namespace)),
    );
    await lab.process(service).stop('SIGKILL');
    // Longer than BFD takes to notice.
    await sleep(patient(1_500));
    lab.process(service).start();
    await areUp();
    return (await Promise.all(monitors.map((monitor) => monitor.stop()))).flat();
  }
}

/** What BFD says of the only peer's path. */
async function pathBecomes(lab: BgpLab, name: string, expected: string): Promise<void> {
  const client = lab.bgpClient(name);
  let last = '';
  await eventually(
    async () => {
      const answer = await client.listPeers({}).catch(() => undefined);
      const [peer] = answer?.peers ?? [];
      last = `${peer?.bfd?.state} ${peer?.bfd?.reason}`;
      return peer?.bfd?.state === expected;
    },
    30_000,
    () => `BFD of ${name} says "${last}"\n${lab.process(`bgp-${name}`).log().slice(-2000)}`,
  );
}

/** Its hold timer would have taken 90 s, and its routes would have stayed for its return. */
async function isBlamedOnBfd(lab: BgpLab): Promise<void> {
  const log = (): string => lab.process(`bgp-${OURS}`).log();
  await eventually(() => /Cease: BFD down.*session lost/.test(log()), 20_000, log);
}

/** @param far who is at the other end of our eth1 */
async function joinByLink(lab: BgpLab, far: string): Promise<void> {
  const [ours, theirs] = [lab.speaker(OURS), lab.speaker(far)];
  const ends = `eth1 netns ${ours.namespace} type veth peer name eth1 netns ${theirs.namespace}`;
  await execOk(`ip link add ${ends}`.split(' '));
  for (const { name } of [ours, theirs]) {
    // Nodes and routers forward; the kernel then takes no default route from advertisements.
    await lab.run(name, 'sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1');
    await lab.run(name, 'ip link set eth1 up');
  }
}
