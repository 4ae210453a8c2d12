// Options of sessions, against BIRD 2: what only two real kernels and two implementations can show.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../lab/wait.ts';
import { BgpLab } from './bgp_lab.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = 'k8s-node01';
const OUR_BLOCK = '10.244.85.192/26';
const OUR_BLOCK6 = 'fd00:10:244::/122';
const secretKeyRef = { name: 'bgp', key: 'password' };

type Neighbour = {
  /** Of BIRD; unset: of the family of the other. */
  readonly local?: string;
  /** Of ours, as BIRD names it. */
  readonly address?: string;
  /** Unset: 65000 and 64512. */
  readonly asn?: number;
  readonly ourAsn?: number;
  readonly options?: string;
  readonly channels?: string;
};

const CHANNEL = 'ipv4 { import all; export all; };';

/** An external peer that announces 172.30.0.0/24 and fd00:30::/64. */
function configuration(neighbour: Neighbour = {}): string {
  const { address = '192.168.80.101', options = '', channels = CHANNEL } = neighbour;
  const { asn = 65000, ourAsn = 64512 } = neighbour;
  const self = neighbour.local ?? (address.includes(':') ? 'fd00:80::100' : '192.168.80.100');
  return `router id 192.168.80.100;
log stderr all;
protocol device { scan time 2; }
protocol static four { ipv4; route 172.30.0.0/24 blackhole; }
protocol static six { ipv6; route fd00:30::/64 blackhole; }
protocol bgp ours {
  local ${self} as ${asn};
  neighbor ${address} as ${ourAsn};
  connect delay time 1; connect retry time 1; error wait time 1,2;
  ${options}
  ${channels}
}
`;
}

test('options of sessions with BIRD 2', { skip: cannotRun }, async (t) => {
  const lab = await BgpLab.start({ bird: 100, [OURS]: 101 });
  try {
    await lab.apply('IPPool', 'outside', { cidr: '172.30.0.0/16', blockSize: 26 });
    await lab.apply('IPPool', 'outside6', { cidr: 'fd00:30::/64', blockSize: 122 });
    await lab.apply('IPPool', 'six', { cidr: 'fd00:10:244::/64', blockSize: 122 });
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      nodeToNodeMeshEnabled: false,
    });
    await lab.apply('Node', OURS, {
      bgp: { ipv4Address: '192.168.80.101/24', ipv6Address: 'fd00:80::101/64' },
    });
    await lab.affinity(OURS, OUR_BLOCK);
    await lab.affinity(OURS, OUR_BLOCK6);
    lab.startBgp(OURS);
    await lab.startBird('bird', '2', configuration());
    await scenario(lab, t);
  } finally {
    await lab.stop();
  }
});

type Context = { test(name: string, run: () => Promise<void>): Promise<void> };

async function scenario(lab: BgpLab, t: Context): Promise<void> {
  const client = lab.bgpClient(OURS);

  /** Both ends anew. */
  async function session(spec: object, neighbour: Neighbour = {}): Promise<void> {
    await lab.delete('BGPPeer', 'bird').catch(() => undefined);
    writeFileSync(join(lab.speaker('bird').directory, 'bird.conf'), configuration(neighbour));
    await lab.birdc('bird', 'configure');
    // What is asked of the session from here on is asked of the new one.
    await eventually(
      async () => (await state()) === 'none',
      20_000,
      () => 'the session before does not go',
    );
    const farEnd = 'peerPrefix' in spec ? {} : { peerIP: '192.168.80.100' };
    await lab.apply('BGPPeer', 'bird', { ...farEnd, asNumber: 65000, ...spec });
  }

  async function state(): Promise<string> {
    const answer = await client.listPeers({}).catch(() => undefined);
    return answer === undefined ? 'away' : (answer.peers[0]?.state ?? 'none');
  }

  async function isUp(): Promise<void> {
    await eventually(
      async () => (await state()) === 'Established',
      30_000,
      () => `the session is not up: ${lab.process(`bgp-${OURS}`).log().slice(-3000)}`,
    );
  }

  /** What BIRD shows, once it is as expected: each end is up by itself. */
  async function birdShows(what: string, ...expected: readonly RegExp[]): Promise<string> {
    let text = '';
    await eventually(
      async () => {
        text = await lab.birdc('bird', `show ${what}`).catch(() => '');
        return expected.every((each) => each.test(text));
      },
      20_000,
      () => `BIRD shows ${text}`,
    );
    return text;
  }

  /** BIRD's route to the prefix, with its attributes. */
  function routeAtBird(prefix: string, ...expected: readonly RegExp[]): Promise<string> {
    return birdShows(`route ${prefix} all protocol ours`, new RegExp(prefix), ...expected);
  }

  /** What the ends have agreed on. */
  async function isAgreed(expected: RegExp): Promise<void> {
    let agreed = '';
    await eventually(
      async () => {
        const answer = await client.listPeers({}).catch(() => undefined);
        agreed = answer?.peers[0]?.agreed.join() ?? '';
        return expected.test(agreed);
      },
      20_000,
      () => `the ends have agreed on "${agreed}"`,
    );
  }

  const FROM_BIRD = '172.30.0.0/24 via 192.168.80.100 dev ens33';

  await t.test('TCP MD5: the password appears, is wrong, and is right', async () => {
    const password = { password: { secretKeyRef } };
    await session(password, { options: 'password "open sesame";' });
    await eventually(
      async () => (await state()) === 'none',
      20_000,
      () => 'a peer without its secret is there',
    );
    lab.setSecret('bgp', 'password', 'something else');
    await eventually(
      async () => ['Connect', 'Active'].includes(await state()),
      20_000,
      () => 'the peer does not come with its secret',
    );
    lab.setSecret('bgp', 'password', 'open sesame\n');
    await isUp();
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
  });

  await t.test('TCP MD5: BIRD dials, ours only answers', async () => {
    await session(
      { password: { secretKeyRef }, passive: true },
      { options: 'password "open sesame";' },
    );
    await isUp();
  });

  await t.test('a peer from a range, with a password', async () => {
    await session(
      { peerPrefix: '192.168.80.0/24', password: { secretKeyRef } },
      { options: 'password "open sesame";' },
    );
    await isUp();
  });

  await t.test('roles: the opposite ones meet (RFC 9234)', async () => {
    const options = 'local role provider; require roles yes;';
    await session({ role: 'Customer', roleStrict: true }, { options });
    await isUp();
    await birdShows('protocols all ours', /Role/);
  });

  await t.test('GTSM: neighbours only, whoever dials', async () => {
    for (const passive of [true, false]) {
      const options = `multihop 1; ttl security on; ${passive ? '' : 'passive on;'}`;
      await session({ ttlSecurity: 1, passive }, { options });
      await isUp();
    }
  });

  await t.test('hold time 0: no keepalives, no hold timer', async () => {
    await session({ holdTime: '0s' });
    await isUp();
    await birdShows('protocols all ours', /Hold timer: +0\.000\/0|Hold timer: +-|Hold timer: +0\//);
  });

  await t.test('add-path both ways (RFC 7911)', async () => {
    const channels = 'ipv4 { import all; export all; add paths on; };';
    await session({ addPath: 'Both' }, { channels });
    await isUp();
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
    await routeAtBird(OUR_BLOCK);
    await isAgreed(/add-path IPv4 receive and send/);
  });

  await t.test('IPv4 and IPv6 over one IPv4 session', async () => {
    const channels = `${CHANNEL} ipv6 { import all; export all; next hop address fd00:80::100; };`;
    await session({ addressFamilies: ['IPv4', 'IPv6'] }, { channels });
    await isUp();
    const via = 'fd00:30::/64 via fd00:80::100 dev ens33 metric 1024 pref medium';
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
    await eventually(
      async () => (await lab.routes(OURS, 6)).includes(via),
      20_000,
      () => 'no IPv6 route',
    );
    await routeAtBird(OUR_BLOCK6, /BGP.next_hop: fd00:80::101/);
  });

  await t.test('IPv4 over IPv6 with extended next hops, into the kernel', async () => {
    await session(
      { peerIP: 'fd00:80::100', addressFamilies: ['IPv4', 'IPv6'] },
      {
        address: 'fd00:80::101',
        channels:
          'ipv4 { import all; export all; extended next hop on; }; ipv6 { import all; export all; };',
      },
    );
    await isUp();
    await lab.routesBecome(OURS, [
      `blackhole ${OUR_BLOCK}`,
      '172.30.0.0/24 via inet6 fd00:80::100 dev ens33',
    ]);
    await routeAtBird(OUR_BLOCK, /BGP.next_hop: fd00:80::101/);
  });

  await t.test('IPv4 and IPv6 between link-local addresses alone', async () => {
    const [ours, theirs] = await Promise.all(
      [OURS, 'bird'].map((name) => lab.linkLocalOf(name, 'ens33')),
    );
    const channels =
      'ipv4 { import all; export all; extended next hop on; }; ipv6 { import all; export all; };';
    await session(
      { peerIP: `${theirs}%ens33`, addressFamilies: ['IPv4', 'IPv6'] },
      { local: `${theirs}`, address: `${ours}`, options: 'interface "ens33";', channels },
    );
    await isUp();
    const via = `172.30.0.0/24 via inet6 ${theirs} dev ens33`;
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, via]);
    for (const block of [OUR_BLOCK, OUR_BLOCK6]) {
      await routeAtBird(block, new RegExp(`via ${ours} on ens33`));
    }
  });

  await t.test('more prefixes than may be end the session, and BIRD is told why', async () => {
    const channels = `${CHANNEL} ipv6 { import all; export all; next hop address fd00:80::100; };`;
    const maxPrefixes = { limit: 1, restartAfter: '1h' };
    await session({ addressFamilies: ['IPv4', 'IPv6'], maxPrefixes }, { channels });
    const reason = 'Received: Maximum number of prefixes reached';
    const heard = (): string => lab.process('bird-bird').log().split(reason)[1] ?? '';
    // It tries again, and is not let in (RFC 4486).
    await eventually(
      async () => heard().includes('Received: Connection rejected'),
      30_000,
      () => `BIRD says: ${lab.process('bird-bird').log().slice(-3000)}`,
    );
    let lastError = '';
    await eventually(
      async () => {
        const answer = await client.listPeers({}).catch(() => undefined);
        lastError = answer?.peers[0]?.lastError ?? '';
        return /Maximum number of prefixes reached: 2 of 1/.test(lastError);
      },
      20_000,
      () => `the last error is "${lastError}"`,
    );
  });

  await t.test('IPv4 over IPv6 with IPv4 next hops, for a peer that knows no others', async () => {
    const channels = 'ipv4 { import all; export all; next hop address 192.168.80.100; };';
    await session(
      { peerIP: 'fd00:80::100', addressFamilies: ['IPv4'] },
      { address: 'fd00:80::101', channels },
    );
    await isUp();
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
    await routeAtBird(OUR_BLOCK, /BGP.next_hop: 192.168.80.101/);
  });

  await t.test(
    'BIRD is gone for longer than its restart time: its routes stay (RFC 9494)',
    async () => {
      const options = `graceful restart on; graceful restart time 1;
      long lived graceful restart on; long lived stale time 3600;`;
      await session({ longLivedRestartTime: '1h' }, { options });
      await isUp();
      await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
      await lab.process('bird-bird').stop('SIGKILL');
      let communities: readonly string[] = [];
      await eventually(
        async () => {
          for await (const route of client.listRoutes({ prefix: '172.30.0.0/24' })) {
            communities = route.communities;
          }
          return communities.includes('65535:6');
        },
        20_000,
        () => `communities are ${communities.join()}`,
      );
      assert.ok((await lab.routes(OURS)).includes(FROM_BIRD));
      lab.process('bird-bird').start();
      await isUp();
    },
  );

  await t.test('a peer at a distance, dialled from whatever address', async () => {
    await session({ multihop: 3, sourceAddress: 'None' }, { options: 'multihop 3;' });
    await isUp();
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
  });

  await t.test(
    'a peer that knows AS numbers of two octets hears the others too (RFC 6793)',
    async () => {
      await lab.apply('BGPConfiguration', 'default', {
        asNumber: 4_200_000_001,
        nodeToNodeMeshEnabled: false,
      });
      const filter = 'filter { bgp_path.prepend(4200000002); accept; }';
      await session(
        { localASNumber: 64_512, localASPrepend: 'Sent' },
        { options: 'enable as4 off;', channels: `ipv4 { import all; export ${filter}; };` },
      );
      await isUp();
      await isAgreed(/two-octet AS numbers/);
      // Both ends put AS_PATH and AS4_PATH together again.
      await routeAtBird(OUR_BLOCK, /BGP.as_path: 64512 4200000001$/m);
      await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
      let path: readonly number[] = [];
      for await (const route of client.listRoutes({ prefix: '172.30.0.0/24' })) path = route.asPath;
      assert.deepEqual(path, [65_000, 4_200_000_002]);
    },
  );

  await t.test('an UPDATE of more than 4,096 octets (RFC 8654)', async () => {
    const communities = Array.from({ length: 500 }, (_, index) => `64512:1:${index}`);
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      nodeToNodeMeshEnabled: false,
      prefixAdvertisements: [{ cidr: OUR_BLOCK, communities }],
    });
    await session({}, { options: 'enable extended messages;' });
    await isUp();
    await isAgreed(/extended messages/);
    const text = await routeAtBird(OUR_BLOCK, /\(64512, 1, 499\)/);
    assert.equal(text.match(/\(64512, 1, \d+\)/g)?.length, communities.length);
  });

  await t.test('two members of a confederation (RFC 5065)', async () => {
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 65001,
      nodeToNodeMeshEnabled: false,
      confederation: { identifier: 64512, members: [65001, 65002] },
    });
    const options = 'confederation 64512; confederation member yes;';
    await session({ asNumber: 65002 }, { asn: 65002, ourAsn: 65001, options });
    await isUp();
    await lab.routesBecome(OURS, [`blackhole ${OUR_BLOCK}`, FROM_BIRD]);
    await routeAtBird(OUR_BLOCK, /BGP.as_path: \(65001\)/, /BGP.local_pref: 2147482623/);
  });
}
