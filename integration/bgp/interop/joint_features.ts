// What is tried with all daemons at once.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';
import { ATTACHED } from './attached.ts';
import { Attempts } from './attempts.ts';
import { type SeenRoute } from './daemon.ts';
import { external, INTERNAL } from './features.ts';
import { exchangeTables, passTables } from './many_routes.ts';
import { byPrefix, OUR_BLOCKS, OURS, type Rig } from './rig.ts';

/** Answers what failed with which. */
export type JointFeature = {
  readonly name: string;
  readonly run: (lab: BgpLab, rigs: readonly Rig[]) => Promise<ReadonlyMap<Rig, unknown>>;
};

export const JOINT_FEATURES: readonly JointFeature[] = [
  { name: 'graceful restart of ours', run: restartsOurs },
  { name: 'route reflection by ours', run: reflects },
  { name: '1,000 routes', run: (_lab, rigs) => exchangeTables(rigs) },
  { name: '100,000 routes', run: (_lab, rigs) => passTables(rigs, '100,000 routes') },
];

/** Each daemon gets the routes of all the others, untouched (RFC 4456). */
async function reflects(lab: BgpLab, rigs: readonly Rig[]): Promise<ReadonlyMap<Rig, unknown>> {
  const attempts = new Attempts(rigs);
  const bgp = { ipv4Address: '192.168.80.101/24', ipv6Address: 'fd00:80::101/64' };
  await lab.apply('Node', OURS, { bgp: { ...bgp, routeReflectorClusterID: '1.0.0.1' } });
  await attempts.each((rig) => rig.establish(INTERNAL));
  await attempts.each(async ({ daemon }) => {
    const expected = rigs
      .filter((other) => other.daemon !== daemon)
      .map(
        (other) => `${other.daemon.announced(4)} via ${other.daemon.address(4)} ${ATTACHED_TEXT}`,
      );
    let seen: string[] = [];
    await eventually(
      async () => {
        const routes = await daemon.seen(INTERNAL, 4);
        seen = routes
          .filter(({ prefix }) => prefix !== OUR_BLOCKS[4])
          .map((route) => `${route.prefix} via ${route.nextHop} ${attachedText(route)}`);
        return JSON.stringify(seen.toSorted()) === JSON.stringify(expected.toSorted());
      },
      20_000,
      () => `${daemon.name} has ${JSON.stringify(seen)}`,
    );
  });
  await lab.apply('Node', OURS, { bgp });
  return attempts.failures;
}

const ATTACHED_TEXT = `${ATTACHED.communities.join()} ${ATTACHED.large.join()} ${ATTACHED.med} ${ATTACHED.preference}`;

function attachedText(route: SeenRoute): string {
  const { communities, largeCommunities, med, localPreference } = route;
  return `${communities.join()} ${largeCommunities.join()} ${med} ${localPreference}`;
}

/** Ours is killed and comes back; meanwhile the daemons keep its routes. */
async function restartsOurs(lab: BgpLab, rigs: readonly Rig[]): Promise<ReadonlyMap<Rig, unknown>> {
  const attempts = new Attempts(rigs);
  await attempts.each((rig) => rig.establish(external(rig)));
  const bgp = lab.process(`bgp-${OURS}`);
  await bgp.stop('SIGKILL');
  await sleep(1_000);
  await attempts.each(async (rig) => {
    // Again when its command has not answered: nothing brings the route back meanwhile.
    await rig.becomes(async () => {
      const seen = byPrefix(await rig.daemon.seen(external(rig), 4));
      assert.ok(seen.has(OUR_BLOCKS[4]), 'our route is gone while we are away');
    }, 10_000);
  });
  bgp.start();
  await attempts.each(async (rig) => {
    await rig.isUp(external(rig));
    await rig.agree(external(rig));
  });
  return attempts.failures;
}
