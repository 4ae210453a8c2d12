// What FRR and BIRD show of aggregates, of several AS numbers of one router, and of roles. About 30 s.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';
import { FrrRouter } from './frr_router.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = 'k8s-node01';
const FRR = 'frr';
const BIRD = 'bird';
const POOL = '10.244.0.0/16';
const OUR_BLOCK = '10.244.85.192/26';
const ANOTHER_BLOCK = '10.244.90.0/26';
const FROM_BIRD = '10.244.200.0/24';
/** What BIRD announces through a next hop that only a default route of ours leads to, and both in one aggregate. */
const [FAR, FAR_HOP, FAR_RANGE] = ['172.30.200.0/24', '172.30.128.7', '172.30.128.0/17'];
const FRR_ASN = 65_000;

const FRR_CONFIGURATION = `frr defaults traditional
router bgp ${FRR_ASN}
 bgp router-id 192.168.80.100
 no bgp ebgp-requires-policy
 no bgp network import-check
 coalesce-time 50
 neighbor 192.168.80.101 remote-as 64512
 neighbor 192.168.80.101 timers connect 1
 address-family ipv4 unicast
  network 172.30.0.0/24
  neighbor 192.168.80.101 soft-reconfiguration inbound
 exit-address-family
`;

const BIRD_CONFIGURATION = `router id 192.168.80.103;
log stderr all;
protocol device { scan time 2; }
protocol static four { ipv4; route ${FROM_BIRD} blackhole; route ${FAR} blackhole; }
protocol bgp ours {
  local 192.168.80.103 as 65010;
  neighbor 192.168.80.101 as 64512;
  connect delay time 1; connect retry time 1; error wait time 1,2;
  ipv4 { import all; export filter { if net = ${FAR} then bgp_next_hop = ${FAR_HOP}; accept; }; };
}
`;

test('aggregates, AS numbers and roles with FRR and BIRD', { skip: cannotRun }, async (t) => {
  const lab = await BgpLab.start({ [FRR]: 100, [OURS]: 101, [BIRD]: 103 });
  try {
    await lab.apply('IPPool', 'outside', { cidr: '172.30.0.0/16', blockSize: 26 });
    await configure(lab, {});
    await lab.apply('BGPPeer', 'frr', { peerIP: '192.168.80.100', asNumber: FRR_ASN });
    await lab.apply('BGPPeer', 'bird', { peerIP: '192.168.80.103', asNumber: 65_010 });
    await lab.affinity(OURS, OUR_BLOCK);
    lab.startBgp(OURS);
    const frr = new FrrRouter(lab, FRR, FRR_CONFIGURATION);
    await frr.start();
    await scenario(lab, frr, t);
  } finally {
    await lab.stop();
  }
});

function configure(lab: BgpLab, spec: object): Promise<void> {
  return lab.apply('BGPConfiguration', 'default', {
    asNumber: 64512,
    nodeToNodeMeshEnabled: false,
    ...spec,
  });
}

/** FRR's line with the path. */
function from(...asns: readonly number[]): RegExp {
  return new RegExp(`\\n  ${asns.join(' ')}\\n`);
}

type Context = { test(name: string, run: () => Promise<void>): Promise<void> };

async function scenario(lab: BgpLab, frr: FrrRouter, t: Context): Promise<void> {
  const client = lab.bgpClient(OURS);

  /** What FRR shows of a prefix, once it is as expected. */
  async function frrShows(prefix: string, ...expected: readonly RegExp[]): Promise<void> {
    let text = '';
    await eventually(
      async () => {
        text = await frr.show(`bgp ipv4 unicast ${prefix}`);
        return expected.every((each) => each.test(text));
      },
      20_000,
      () => `FRR shows ${text}\n${lab.process(`bgp-${OURS}`).log().slice(-2000)}`,
    );
  }

  await t.test('own blocks are one route, which hides nothing', async () => {
    await frrShows(OUR_BLOCK, /\n  64512\n/);
    await configure(lab, { aggregates: [{ cidr: POOL }] });
    await frrShows(POOL, /\n  64512, \(aggregated by 64512 192\.168\.80\.101\)/);
    await frrShows(OUR_BLOCK, /% Network not in table/);
    assert.doesNotMatch(await frr.show(`bgp ipv4 unicast ${POOL}`), /atomic-aggregate/);
    // What is in no block must not come back by a default route.
    await lab.routesBecome(OURS, [
      `blackhole ${OUR_BLOCK}`,
      `blackhole ${POOL}`,
      '172.30.0.0/24 via 192.168.80.100 dev ens33',
    ]);
  });

  await t.test('with a route of another AS inside it is marked', async () => {
    await lab.startBird(BIRD, '2', BIRD_CONFIGURATION);
    await frrShows(
      POOL,
      /\n  64512, \(aggregated by 64512 192\.168\.80\.101\)/,
      /atomic-aggregate/,
    );
    await frrShows(FROM_BIRD, /% Network not in table/);
    // Each is told at its own time.
    let text = '';
    await eventually(
      async () => {
        text = await lab.birdc(BIRD, `show route ${POOL} all protocol ours`).catch(() => '');
        return [
          /BGP\.atomic_aggr:/,
          /BGP\.aggregator: 192\.168\.80\.101 AS64512/,
          /BGP\.as_path: 64512\n/,
        ].every((each) => each.test(text));
      },
      20_000,
      () => `BIRD shows ${text}`,
    );
  });

  await t.test('no blackhole cuts off a next hop inside of it', async () => {
    const others = [
      `blackhole ${OUR_BLOCK}`,
      `blackhole ${POOL}`,
      '172.30.0.0/24 via 192.168.80.100 dev ens33',
      `${FROM_BIRD} via 192.168.80.103 dev ens33`,
    ];
    const become = (...routes: string[]): Promise<void> =>
      lab.routesBecome(OURS, [...others, ...routes], 20_000);
    const way = `${FAR} via 192.168.80.100 dev ens33`;
    await lab.run(OURS, 'ip route add default via 192.168.80.100');
    await become(way);
    await configure(lab, { aggregates: [{ cidr: POOL }, { cidr: FAR_RANGE }] });
    await frrShows(FAR_RANGE, /\n  64512 65010, \(aggregated by 64512 192\.168\.80\.101\)/);
    await become(way);
    // A route as specific is enough, and without it the blackhole has to go.
    await lab.run(OURS, 'ip route add 172.30.128.0/24 via 192.168.80.100');
    await become(way, `blackhole ${FAR_RANGE}`);
    await lab.run(OURS, 'ip route del 172.30.128.0/24');
    await become(way);
    await frrShows(FAR_RANGE, /\n  64512 65010, \(aggregated by 64512 192\.168\.80\.101\)/);
    await configure(lab, { aggregates: [{ cidr: POOL }] });
    await lab.run(OURS, 'ip route del default');
    await become();
  });

  await t.test('it ends with the last route inside', async () => {
    await lab.release(OURS, OUR_BLOCK);
    await frrShows(POOL, /\n  64512 65010, \(aggregated by 64512 192\.168\.80\.101\)/);
    await lab.process('bird-bird').stop('SIGTERM');
    await frrShows(POOL, /% Network not in table/);
    await lab.routesBecome(OURS, ['172.30.0.0/24 via 192.168.80.100 dev ens33']);
  });

  /** The AS path of a route of FRR's as this node shows it, once it is as expected; '' for none. */
  async function weShow(prefix: string, expected: string): Promise<void> {
    const seen: string[] = [];
    await eventually(
      async () => {
        seen.length = 0;
        for await (const route of client.listRoutes({ prefix })) seen.push(route.asPath.join(' '));
        return (seen[0] ?? '') === expected;
      },
      20_000,
      () => `AS paths to ${prefix} are ${seen.join()}`,
    );
  }

  const birdFile = join(lab.speaker(BIRD).directory, 'bird.conf');

  /** @param kept a route that was there before the first: it has not been told */
  async function birdHas(prefix: string, kept?: string): Promise<void> {
    let text = '';
    await eventually(
      async () => {
        // While it starts it does not answer.
        text = await lab.birdc(BIRD, 'show route protocol ours').catch(() => '');
        const prefixes = text.split('\n').map((line) => line.split(' ')[0]);
        return prefixes.includes(prefix) && (kept === undefined || !prefixes.includes(kept));
      },
      20_000,
      () => `BIRD has ${text}`,
    );
  }

  const frrPeer = { peerIP: '192.168.80.100', asNumber: FRR_ASN };
  const inFrr = (...lines: readonly string[]): Promise<void> =>
    frr.configure(`router bgp ${FRR_ASN}`, ...lines);

  await t.test('FRR knows this node by another AS number', async () => {
    await configure(lab, {});
    await lab.affinity(OURS, OUR_BLOCK);
    await inFrr('neighbor 192.168.80.101 remote-as 65100');
    const local = { ...frrPeer, localASNumber: 65_100 };
    await lab.apply('BGPPeer', 'frr', local);
    await frrShows(OUR_BLOCK, from(65_100));
    await weShow('172.30.0.0/24', '65000');
    await lab.apply('BGPPeer', 'frr', { ...local, localASPrepend: 'Sent' });
    await frrShows(OUR_BLOCK, from(65_100, 64_512));
    await weShow('172.30.0.0/24', '65000');
    await lab.apply('BGPPeer', 'frr', { ...local, localASPrepend: 'Both' });
    await weShow('172.30.0.0/24', '65100 65000');
    await frrShows(OUR_BLOCK, from(65_100, 64_512));
  });

  await t.test('FRR knows this node by either AS number', async () => {
    const local = { ...frrPeer, localASNumber: 65_100, localASPrepend: 'Both', localASDual: true };
    await lab.apply('BGPPeer', 'frr', local);
    await frrShows(OUR_BLOCK, from(65_100, 64_512));
    await inFrr('neighbor 192.168.80.101 remote-as 64512');
    await frrShows(OUR_BLOCK, from(64_512));
    await weShow('172.30.0.0/24', '65000');
    const { peers } = await client.listPeers({});
    const agreed = peers.flatMap((peer) => peer.agreed);
    assert.ok(agreed.includes('we are AS 64512'), agreed.join());
  });

  await t.test('this node knows FRR by another AS number', async () => {
    await lab.apply('BGPPeer', 'frr', { ...frrPeer, asNumber: 65_200 });
    await inFrr('neighbor 192.168.80.101 local-as 65200');
    await weShow('172.30.0.0/24', '65200 65000');
    await frrShows(OUR_BLOCK, from(65_200, 64_512));
    await inFrr('neighbor 192.168.80.101 local-as 65200 no-prepend replace-as');
    await weShow('172.30.0.0/24', '65200');
    await frrShows(OUR_BLOCK, from(64_512));
  });

  await t.test('paths with our own AS number, as often as it is allowed', async () => {
    await inFrr(
      'no neighbor 192.168.80.101 local-as 65200',
      'network 172.31.0.0/24 route-map looped',
      'exit',
      'route-map looped permit 10',
      'set as-path prepend 64512',
    );
    await lab.apply('BGPPeer', 'frr', { ...frrPeer, numAllowedLocalASNumbers: 1 });
    await weShow('172.31.0.0/24', '65000 64512');
    await lab.apply('BGPPeer', 'frr', frrPeer);
    await weShow('172.31.0.0/24', '');
    await weShow('172.30.0.0/24', '65000');
    // Absent because it is refused, not because nothing has come yet: what FRR tells later is there.
    await inFrr('network 172.30.11.0/24');
    await weShow('172.30.11.0/24', '65000');
    await weShow('172.31.0.0/24', '');
  });

  await t.test('a router that is about to go is the last resort (RFC 8326)', async () => {
    await inFrr('bgp graceful-shutdown');
    await eventually(
      async () => {
        for await (const route of client.listRoutes({ prefix: '172.30.0.0/24' })) {
          if (route.communities.includes('65535:0')) return route.localPreference === 0;
        }
        return false;
      },
      20_000,
      () => 'the route of a router that is about to go has no local preference of 0',
    );
    await inFrr('no bgp graceful-shutdown');
  });

  await t.test('what is to be dropped at a neighbour goes no further (RFC 7999)', async () => {
    await inFrr(
      'network 172.30.9.0/24 route-map dropped',
      'exit',
      'route-map dropped permit 10',
      'set community blackhole',
    );
    await weShow('172.30.9.0/24', '65000');
    lab.process('bird-bird').start();
    await birdHas('172.30.0.0/24');
    await inFrr('network 172.30.10.0/24');
    await birdHas('172.30.10.0/24', '172.30.9.0/24');
  });

  await t.test('roles: what a provider told goes to no other provider (RFC 9234)', async () => {
    await inFrr('neighbor 192.168.80.101 local-role provider strict-mode');
    await lab.apply('BGPPeer', 'frr', { ...frrPeer, role: 'Customer', roleStrict: true });
    await weShow('172.30.0.0/24', '65000');
    // An external peer that is no provider is told; one that is, is not.
    await birdHas('172.30.0.0/24');
    writeFileSync(
      birdFile,
      BIRD_CONFIGURATION.replace('neighbor', 'local role provider; neighbor'),
    );
    await lab.birdc(BIRD, 'configure');
    const bird = { peerIP: '192.168.80.103', asNumber: 65_010, role: 'Customer' };
    await lab.apply('BGPPeer', 'bird', bird);
    await eventually(
      async () => {
        const { peers } = await client.listPeers({});
        return peers.every(({ agreed }) => agreed.includes('we are customer'));
      },
      20_000,
      () => 'a session has no role',
    );
    await birdHas(OUR_BLOCK);
    await lab.affinity(OURS, ANOTHER_BLOCK);
    await birdHas(ANOTHER_BLOCK, '172.30.0.0/24');
  });

  await t.test('roles that do not fit are refused, and it is said', async () => {
    await inFrr('neighbor 192.168.80.101 local-role customer');
    await eventually(
      async () => {
        const { peers } = await client.listPeers({});
        return peers.some(({ lastError }) => /[Rr]ole/.test(lastError));
      },
      20_000,
      () => 'the session goes on',
    );
  });
}
