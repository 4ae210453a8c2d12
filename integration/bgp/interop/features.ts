// What is tried between ours and each daemon, alone.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListRoutesResponse } from '@calico/proto/bgp/v1/bgp';
import { eventually } from '../../lab/wait.ts';
import { ATTACHED_ALL } from './attached.ts';
import { FAR_TWICE, OUR_ASN, SEVERAL_MEDS, type Session } from './daemon.ts';
import type { OurNode } from './our_node.ts';
import { byPrefix, OUR_BLOCKS, OUR_TWICE, OURS, type Rig, SECRET } from './rig.ts';

export type Feature = { readonly name: string; readonly run: (rig: Rig) => Promise<void> };

const PASSWORD = {
  password: { secretKeyRef: { name: SECRET.name, key: SECRET.key } },
};

/** An external session in which AS numbers need four octets (RFC 6793). */
export function external(rig: Rig, more: Partial<Session> = {}): Session {
  return { asn: 4_200_000_000 + rig.daemon.octet, transport: 4, families: [4], ...more };
}

export const INTERNAL: Session = { asn: OUR_ASN, transport: 4, families: [4] };

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
  {
    name: 'communities of all kinds',
    run: (rig) => rig.establish({ ...INTERNAL, attached: ATTACHED_ALL }),
  },
  { name: 'add-path', run: addsPaths },
  { name: 'route refresh', run: refreshes },
  { name: 'shutdown communication', run: shutsDown },
  { name: 'graceful restart of theirs', run: restartsTheirs },
  { name: 'route reflection by theirs', run: isReflected },
  { name: 'BFD', run: watchesPath },
  { name: '1,000 routes', run: (rig) => rig.establish(external(rig, { routes: many(rig, 1000) })) },
];

function many({ daemon }: Rig, count: number): string[] {
  return Array.from(
    { length: count },
    (_, i) => `100.${daemon.octet}.${i >> 4}.${(i & 15) << 4}/28`,
  );
}

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
  return (await rig.ours.status(rig.daemon.address(4)))?.since?.seconds;
}

/** Why the other side went is known on ours. */
async function shutsDown(rig: Rig): Promise<void> {
  const session = external(rig);
  await rig.establish(session);
  await rig.daemon.shutDown?.(session, 'back-at-noon');
  let error = '';
  await eventually(
    async () => {
      error = (await rig.ours.status(rig.daemon.address(4)))?.lastError ?? '';
      return error.includes('back-at-noon');
    },
    20_000,
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
    async () => byPrefix(await rig.heard(session)).get(prefix)?.stale === true,
    20_000,
    () => `${daemon.name}'s route is not kept as stale`,
  );
  assert.ok((await lab.routes(OURS)).some((line) => line.startsWith(prefix)));
  await daemon.restart();
  await rig.isUp(session);
  await eventually(
    async () => byPrefix(await rig.heard(session)).get(prefix)?.stale === false,
    20_000,
    () => `${daemon.name}'s route is not renewed`,
  );
}

/** Both ends of a prefix with two paths have both (RFC 7911). Only a router passes on those of others. */
async function addsPaths(rig: Rig): Promise<void> {
  const { daemon } = rig;
  const session = { ...INTERNAL, isReflector: daemon.isRouter, hasAddPath: true };
  await rig.establish(session, { addPath: 'Both' });
  await rig.becomes(async () => {
    const heard = await rig.heard(session);
    assert.deepEqual(medsOf(heard, FAR_TWICE), SEVERAL_MEDS, `ours, ${FAR_TWICE}`);
    const there = daemon.isRouter
      ? await rig.far.heard(daemon.address(4))
      : (await daemon.seen(session, 4)).map(({ prefix, med }) => ({
          prefix,
          multiExitDiscriminator: med,
        }));
    assert.deepEqual(medsOf(there, OUR_TWICE), SEVERAL_MEDS, `theirs, ${OUR_TWICE}`);
  });
}

type Told = Pick<ListRoutesResponse, 'prefix' | 'multiExitDiscriminator'>;

function medsOf(routes: readonly Told[], wanted: string): number[] {
  return routes
    .filter(({ prefix }) => prefix === wanted)
    .map(({ multiExitDiscriminator = 0 }) => multiExitDiscriminator)
    .toSorted((a, b) => a - b);
}

/** Each client gets the other's route, with who brought it in and which cluster it went through (RFC 4456). */
async function isReflected(rig: Rig): Promise<void> {
  const { daemon, ours, far } = rig;
  const session = { ...INTERNAL, isReflector: true };
  await rig.establish(session);
  await daemon.askAgain?.(session);
  const told = async (to: OurNode, prefix: string): Promise<object> => {
    const route = byPrefix(await to.heard(daemon.address(4))).get(prefix);
    const { nextHop, originatorId, clusterList } = route ?? {};
    return { nextHop, originatorId, clusterList };
  };
  const clusterList = [daemon.address(4)];
  const from = ({ address }: OurNode) => ({ nextHop: address, originatorId: address, clusterList });
  await rig.becomes(async () => {
    assert.deepEqual(await told(ours, FAR_TWICE), from(far));
    assert.deepEqual(await told(far, OUR_BLOCKS[4]), from(ours));
  });
}

/** A daemon that says nothing any more is noticed long before the hold timer (RFC 5880). */
async function watchesPath(rig: Rig): Promise<void> {
  const { daemon, ours } = rig;
  const session = external(rig, { hasBfd: true });
  await rig.establish(session, { bfd: { enabled: true } });
  const status = () => ours.status(daemon.address(4));
  await rig.becomes(async () => assert.equal((await status())?.bfd?.state, 'Up'));
  daemon.suspend();
  await rig.becomes(async () => assert.match((await status())?.lastError ?? '', /BFD/i));
}
