// What is tried between ours and each daemon, alone.
import assert from 'node:assert/strict';
import { type ListRoutesResponse, Table } from '@calico/proto/bgp/v1/bgp';
import { eventually } from '../../lab/wait.ts';
import { ATTACHED_ALL } from './attached.ts';
import { FAR_TWICE, OUR_ASN, SEVERAL_MEDS, type Session } from './daemon.ts';
import type { OurNode } from './our_node.ts';
import { byPrefix, OUR_BLOCKS, OUR_FILTER, OUR_TWICE, OURS, type Rig, SECRET } from './rig.ts';

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
  { name: 'route refresh of theirs', run: asksUs },
  { name: 'route refresh of ours', run: isAsked },
  { name: 'shutdown communication of theirs', run: shutsDown },
  { name: 'shutdown communication of ours', run: isShutDown },
  { name: 'graceful restart of theirs', run: restartsTheirs },
  { name: 'route reflection by theirs', run: isReflected },
  { name: 'BFD', run: watchesPath },
];

/** A daemon whose policy for what it hears changes asks for it again (RFC 2918). */
function asksUs(rig: Rig): Promise<void> {
  return isRefreshed(rig, external(rig, { adds: { heard: '64512:901' } }), 'sent');
}

/** One whose policy for what it tells has changed tells it anew when ours asks. */
function isAsked(rig: Rig): Promise<void> {
  return isRefreshed(rig, external(rig, { adds: { told: '64512:902' } }), 'received');
}

/** Policies of both ends change; afterwards each has the other's routes as they are now, over the same session. */
async function isRefreshed(rig: Rig, changed: Session, way: 'sent' | 'received'): Promise<void> {
  const { daemon, ours } = rig;
  const address = daemon.address(changed.transport);
  await rig.establish(external(rig));
  const since = (await ours.status(address))?.since;
  const before = await daemon.refreshes?.(changed);
  await rig.applyPeer(ours, changed, { filters: [OUR_FILTER.name] });
  await rig.becomes(async () => {
    const route = byPrefix(await ours.heard(address, Table.ADJ_RIB_IN)).get(daemon.announced(4));
    assert.ok(route?.communities.includes(OUR_FILTER.community));
  });
  await daemon.adopt?.(changed);
  if (way === 'received') await ours.ask(address);
  await rig.agree({ ...changed, isFiltered: true });
  assert.deepEqual((await ours.status(address))?.since, since);
  // Where it does not count, that its new policy shows is proof enough.
  if (before === undefined) return;
  await rig.becomes(async () => {
    const after = await daemon.refreshes?.(changed);
    assert.ok((after?.[way] ?? 0) > before[way], `no request was ${way}`);
  });
}

/** Why the other side went is known on ours (RFC 9003), and stays in its log when it comes back at once. */
async function shutsDown(rig: Rig): Promise<void> {
  const session = external(rig, { hasGracefulRestart: false });
  await rig.establish(session);
  const { daemon, lab } = rig;
  const text = await daemon.shutDown?.(session, 'back-at-noon');
  await rig.becomes(async () => {
    const lines = lab.process(`bgp-${OURS}`).log().split('\n');
    const ofPeer = lines.filter((line) => line.includes(`"${daemon.address(4)}"`));
    const reason = `Cease: Administrative shutdown: ${text}"`;
    assert.ok(
      ofPeer.some((line) => line.includes(reason)),
      ofPeer.at(-1),
    );
  });
}

/** Why ours went is known to the other side. */
async function isShutDown(rig: Rig): Promise<void> {
  const session = external(rig);
  await rig.establish(session);
  const { daemon } = rig;
  await rig.ours.reset(daemon.address(4), 'new-cables');
  await rig.becomes(async () => assert.match(await daemon.reasonsHeard(session), /new-cables/));
  await rig.isUp(session);
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
