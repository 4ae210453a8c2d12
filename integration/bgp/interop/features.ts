// The columns of the matrix: what is tried between ours and each daemon.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../lab/wait.ts';
import type { BgpLab } from '../bgp_lab.ts';
import { ATTACHED, OUR_ASN, type SeenRoute, type Session } from './daemon.ts';
import { OUR_BLOCKS, OURS, type Rig, SECRET } from './rig.ts';

export type Feature = { readonly name: string; run(rig: Rig): Promise<void> };

const PASSWORD = {
  password: { secretKeyRef: { name: SECRET.name, key: SECRET.key } },
};

/** An external session in which AS numbers need four octets (RFC 6793). */
function external(rig: Rig, more: Partial<Session> = {}): Session {
  return { asn: 4_200_000_000 + rig.daemon.octet, transport: 4, families: [4], ...more };
}

const INTERNAL: Session = { asn: OUR_ASN, transport: 4, families: [4] };

export const FEATURES: readonly Feature[] = [
  { name: 'eBGP, four-octet AS', run: (rig) => rig.establish(external(rig)) },
  { name: 'iBGP', run: (rig) => rig.establish(INTERNAL) },
  {
    name: 'IPv6',
    run: (rig) => rig.establish(external(rig, { transport: 6, families: [6] })),
  },
  {
    name: 'IPv6 over IPv4',
    run: (rig) => rig.establish(external(rig, { families: [4, 6] })),
  },
  {
    name: 'IPv4 over IPv6',
    run: (rig) =>
      rig.establish(external(rig, { transport: 6, families: [4, 6], hasExtendedNextHop: true })),
  },
  {
    name: 'TCP MD5',
    run: (rig) => rig.establish(external(rig, { password: SECRET.value }), PASSWORD),
  },
  {
    name: 'GTSM',
    run: (rig) => rig.establish(external(rig, { hasTtlSecurity: true }), { ttlSecurity: 1 }),
  },
  { name: 'route refresh', run: refreshes },
  { name: 'shutdown communication', run: shutsDown },
  { name: 'graceful restart of theirs', run: restartsTheirs },
  { name: '1,000 routes', run: (rig) => rig.establish(external(rig, { routes: many(rig, 1000) })) },
];

/** Ours sends everything again when asked: the daemon drops nothing, the session stays. */
async function refreshes(rig: Rig): Promise<void> {
  const session = external(rig);
  await rig.establish(session);
  const { daemon } = rig;
  const before = await uptime(rig);
  await daemon.refresh?.(session);
  await sleep(500);
  await rig.agree(session);
  assert.equal(await uptime(rig), before);
}

async function uptime(rig: Rig): Promise<bigint | undefined> {
  return (await rig.status(4))?.since?.seconds;
}

/** Why the other side went is known on ours. */
async function shutsDown(rig: Rig): Promise<void> {
  const session = external(rig);
  await rig.establish(session);
  await rig.daemon.shutDown?.(session, 'back-at-noon');
  let error = '';
  await eventually(
    async () => {
      error = (await rig.status(4))?.lastError ?? '';
      return error.includes('back-at-noon');
    },
    10_000,
    () => `the last error is "${error}"`,
  );
}

/** A killed daemon's route stays in our kernel, and is fresh again after its return (RFC 4724). */
async function restartsTheirs(rig: Rig): Promise<void> {
  const session = external(rig);
  await rig.establish(session);
  const { daemon, lab } = rig;
  const prefix = daemon.announced(4);
  await daemon.kill();
  await eventually(
    async () => (await rig.heard(session)).get(prefix)?.stale === true,
    10_000,
    () => `${daemon.name}'s route is not kept as stale`,
  );
  assert.ok((await lab.routes(OURS)).some((line) => line.startsWith(prefix)));
  await daemon.restart();
  await rig.isUp(session);
  await eventually(
    async () => (await rig.heard(session)).get(prefix)?.stale === false,
    20_000,
    () => `${daemon.name}'s route is not renewed`,
  );
}

/** What is tried with all daemons at once; answers what failed with which. */
export type JointFeature = {
  readonly name: string;
  run(lab: BgpLab, rigs: readonly Rig[]): Promise<ReadonlyMap<Rig, unknown>>;
};

export const JOINT_FEATURES: readonly JointFeature[] = [
  { name: 'graceful restart of ours', run: restartsOurs },
  { name: 'route reflection by ours', run: reflects },
];

class Attempts {
  readonly failures = new Map<Rig, unknown>();
  readonly #rigs: readonly Rig[];

  constructor(rigs: readonly Rig[]) {
    this.#rigs = rigs;
  }

  async each(run: (rig: Rig) => Promise<void>): Promise<void> {
    await Promise.all(
      this.#rigs.map((rig) =>
        run(rig).catch((cause: unknown) => {
          if (!this.failures.has(rig)) this.failures.set(rig, cause);
        }),
      ),
    );
  }
}

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
        const routes = [...(await daemon.seen(INTERNAL, 4))];
        seen = routes
          .filter(([prefix]) => prefix !== OUR_BLOCKS[4])
          .map(([prefix, route]) => `${prefix} via ${route.nextHop} ${attachedText(route)}`);
        return JSON.stringify(seen.toSorted()) === JSON.stringify(expected.toSorted());
      },
      20_000,
      () => `${daemon.name} has ${JSON.stringify(seen)}`,
    );
  });
  await lab.apply('Node', OURS, { bgp });
  return attempts.failures;
}

const ATTACHED_TEXT = `${ATTACHED.community} ${ATTACHED.large} ${ATTACHED.med} ${ATTACHED.preference}`;

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
    const seen = await rig.daemon.seen(external(rig), 4);
    assert.ok(seen.has(OUR_BLOCKS[4]), 'our route is gone while we are away');
  });
  bgp.start();
  await attempts.each(async (rig) => {
    await rig.isUp(external(rig));
    await rig.agree(external(rig));
  });
  return attempts.failures;
}

function many({ daemon }: Rig, count: number): string[] {
  return Array.from(
    { length: count },
    (_, i) => `100.${daemon.octet}.${i >> 4}.${(i & 15) << 4}/28`,
  );
}
