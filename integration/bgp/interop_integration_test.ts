// Ours with every BGP daemon that Debian has. The matrix it prints is that of docs/interoperability.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BgpLab } from './bgp_lab.ts';
import { Bird } from './interop/bird.ts';
import type { Daemon, Ends } from './interop/daemon.ts';
import { ExaBgp } from './interop/exabgp.ts';
import { FEATURES, JOINT_FEATURES } from './interop/features.ts';
import { Frr } from './interop/frr.ts';
import { GoBgp } from './interop/gobgp.ts';
import { Matrix } from './interop/matrix.ts';
import { OpenBgpd } from './interop/openbgpd.ts';
import { OUR_BLOCKS, OUR_COMMUNITIES, OURS, Rig, SECRET } from './interop/rig.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';

const DAEMONS: Readonly<Record<string, (ends: Ends) => Daemon>> = {
  bird2: (ends) => new Bird(ends, '2'),
  bird16: (ends) => new Bird(ends, '1.6'),
  frr: (ends) => new Frr(ends),
  gobgp: (ends) => new GoBgp(ends),
  openbgpd: (ends) => new OpenBgpd(ends),
  exabgp: (ends) => new ExaBgp(ends),
};
const OCTETS = { bird2: 110, bird16: 111, frr: 112, gobgp: 113, openbgpd: 114, exabgp: 115 };

test('interoperability', { skip: cannotRun, concurrency: true }, async (t) => {
  const lab = await BgpLab.start({ [OURS]: 101, ...OCTETS });
  const matrix = new Matrix();
  try {
    await configure(lab);
    const rigs = Object.entries(DAEMONS).map(([name, create]) => {
      const ends = { self: lab.speaker(name), ours: lab.speaker(OURS), lab };
      return new Rig(lab, create(ends));
    });
    for (const feature of FEATURES) {
      await Promise.all(
        rigs.map((rig) =>
          t.test(`${feature.name}: ${rig.daemon.name}`, async (tt) => {
            const reason = rig.daemon.lacks[feature.name];
            matrix.set(rig.daemon.name, feature.name, reason ?? 'failed');
            if (reason !== undefined) return tt.skip(reason);
            await feature.run(rig);
            matrix.set(rig.daemon.name, feature.name, 'yes');
          }),
        ),
      );
    }
    for (const feature of JOINT_FEATURES) {
      const { name } = feature;
      const failures = await feature.run(lab, rigs);
      for (const rig of rigs) {
        await t.test(`${name}: ${rig.daemon.name}`, () => {
          matrix.set(rig.daemon.name, name, failures.has(rig) ? 'failed' : 'yes');
          assert.ifError(failures.get(rig));
        });
      }
    }
  } finally {
    console.log(matrix.text());
    await lab.stop();
  }
});

async function configure(lab: BgpLab): Promise<void> {
  await lab.apply('IPPool', 'outside', { cidr: '172.30.0.0/16', blockSize: 26 });
  await lab.apply('IPPool', 'outside6', { cidr: 'fd00:30::/32', blockSize: 122 });
  await lab.apply('IPPool', 'six', { cidr: 'fd00:10:244::/64', blockSize: 122 });
  await lab.apply('BGPConfiguration', 'default', {
    asNumber: 64_512,
    nodeToNodeMeshEnabled: false,
    prefixAdvertisements: Object.values(OUR_BLOCKS).map((cidr) => ({
      cidr,
      communities: [OUR_COMMUNITIES.community, OUR_COMMUNITIES.large],
    })),
  });
  await lab.apply('Node', OURS, {
    bgp: { ipv4Address: '192.168.80.101/24', ipv6Address: 'fd00:80::101/64' },
  });
  lab.setSecret(SECRET.name, SECRET.key, SECRET.value);
  for (const block of Object.values(OUR_BLOCKS)) await lab.affinity(OURS, block);
  lab.startBgp(OURS);
}
