// Ours with every BGP daemon that Debian has. The matrix it prints is that of docs/interoperability.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BgpLab } from './bgp_lab.ts';
import { ATTACHED_ALL } from './interop/attached.ts';
import { Bird } from './interop/bird.ts';
import { type Daemon, type Ends, FAR_TWICE, SEVERAL_MEDS } from './interop/daemon.ts';
import { ExaBgp } from './interop/exabgp.ts';
import { FEATURES } from './interop/features.ts';
import { Frr } from './interop/frr.ts';
import { GoBgp } from './interop/gobgp.ts';
import { JOINT_FEATURES, type JointFeature } from './interop/joint_features.ts';
import { Matrix } from './interop/matrix.ts';
import { OpenBgpd } from './interop/openbgpd.ts';
import {
  FAR,
  OUR_BLOCKS,
  OUR_COMMUNITIES,
  OUR_FILTER,
  OUR_RICH,
  OUR_TWICE,
  OURS,
  Rig,
  SECRET,
} from './interop/rig.ts';
import { attachedRoute, mrtOf, simpleRoute } from './interop/tables.ts';

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
  const lab = await BgpLab.start({ [OURS]: 101, [FAR]: 102, ...OCTETS });
  const only = process.env['CALICO_INTEROP']?.split(',');
  const daemons = Object.entries(DAEMONS).filter(([name]) => only?.includes(name) ?? true);
  const rigs = daemons.map(([name, create]) => {
    const [ours, far] = [lab.speaker(OURS), lab.speaker(FAR)];
    return new Rig(lab, create({ self: lab.speaker(name), ours, far, lab }));
  });
  const matrix = new Matrix(
    [...FEATURES, ...JOINT_FEATURES].map(({ name }) => name),
    rigs.map(({ daemon }) => daemon.name),
  );
  try {
    await configure(lab, rigs);
    await Promise.all(rigs.map((rig) => alone(rig)));
    for (const feature of JOINT_FEATURES) await together(feature);
  } finally {
    console.log(matrix.text());
    await lab.stop();
  }

  async function alone(rig: Rig): Promise<void> {
    const { daemon } = rig;
    for (const { name, run } of FEATURES) {
      await t.test(`${name}: ${daemon.name}`, async (tt) => {
        const reason = daemon.lacks[name];
        matrix.set(daemon.name, name, reason ?? 'failed');
        if (reason !== undefined) return tt.skip(reason);
        await run(rig);
        matrix.set(daemon.name, name, 'yes');
      });
    }
  }

  async function together({ name, run }: JointFeature): Promise<void> {
    const able = rigs.filter(({ daemon }) => daemon.lacks[name] === undefined);
    for (const { daemon } of rigs) matrix.set(daemon.name, name, daemon.lacks[name] ?? 'failed');
    const failures = await run(lab, able);
    for (const rig of able) {
      await t.test(`${name}: ${rig.daemon.name}`, () => {
        matrix.set(
          rig.daemon.name,
          name,
          failures.has(rig) ? 'failed' : (rig.daemon.partly[name] ?? 'yes'),
        );
        assert.ifError(failures.get(rig));
      });
    }
  }
});

async function configure(lab: BgpLab, [rig]: readonly Rig[]): Promise<void> {
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
  const rules = [
    { action: 'Accept', operations: [{ addCommunity: { value: OUR_FILTER.community } }] },
  ];
  await lab.apply('BGPFilter', OUR_FILTER.name, { importV4: rules, exportV4: rules });
  lab.setSecret(SECRET.name, SECRET.key, SECRET.value);
  for (const block of Object.values(OUR_BLOCKS)) await lab.affinity(OURS, block);
  for (const { name } of [lab.speaker(OURS), lab.speaker(FAR)]) lab.startBgp(name);
  if (rig === undefined) return;
  const { ours, far } = rig;
  await Promise.all([ours.isReady(), far.isReady()]);
  await ours.announce('rich', mrtOf([attachedRoute(OUR_RICH, ATTACHED_ALL)]));
  for (const med of SEVERAL_MEDS) {
    await ours.announce(`path-${med}`, mrtOf([simpleRoute(OUR_TWICE, med)]));
    await far.announce(`path-${med}`, mrtOf([simpleRoute(FAR_TWICE, med)]));
  }
}
