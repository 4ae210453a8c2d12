// Tables to and from each daemon, compared attribute by attribute.
import assert from 'node:assert/strict';
import { parseAddress } from '@calico/ip';
import { Attempts } from './attempts.ts';
import { OUR_ASN, type Session } from './daemon.ts';
import { external, INTERNAL } from './features.ts';
import type { OurNode } from './our_node.ts';
import { byPrefix, type Rig } from './rig.ts';
import { internetLike, mrtOf, type Route, seenAs, TableView } from './tables.ts';

const FEW = 1_000;
const COUNT = 100_000;
const CLIENT = 'many';
const ARRIVED_MS = 120_000;

type Tables = { readonly ours: readonly Route[]; readonly far: readonly Route[] };

/** Ours and each daemon announce a thousand to each other, over an external session. */
export async function exchangeTables(rigs: readonly Rig[]): Promise<ReadonlyMap<Rig, unknown>> {
  const attempts = new Attempts(rigs);
  const table = internetLike(60, FEW);
  await rigs[0]?.ours.announce(CLIENT, mrtOf(table));
  await attempts.each(async (rig) => {
    const { daemon } = rig;
    const networks = (_: unknown, i: number) => `100.${daemon.octet}.${i >> 4}.${(i & 15) << 4}/28`;
    const session = external(rig, { routes: Array.from({ length: FEW }, networks) });
    await rig.establish(session, {}, ARRIVED_MS);
    await has(rig, session, table);
  });
  await rigs[0]?.ours.takeBack(CLIENT);
  return attempts.failures;
}

/** Large tables; smaller ones, before, with those that do only a part of this feature. */
export async function passTables(
  rigs: readonly Rig[],
  feature: string,
): Promise<ReadonlyMap<Rig, unknown>> {
  const attempts = new Attempts(rigs);
  const isSlow = ({ daemon }: Rig): boolean => daemon.partly[feature] !== undefined;
  const slow = rigs.filter(isSlow);
  await passOn(attempts, slow, COUNT / 10);
  await attempts.each((rig) => rig.leave(), slow);
  await passOn(
    attempts,
    rigs.filter((rig) => !isSlow(rig)),
    COUNT,
  );
  return attempts.failures;
}

/**
 * Daemons that are routers reflect the table of each of their clients to the other. One that is none has
 * the far table of its own.
 */
async function passOn(attempts: Attempts, rigs: readonly Rig[], count: number): Promise<void> {
  const [rig] = rigs;
  if (rig === undefined) return;
  const { ours, far } = rig;
  const tables = { ours: internetLike(20, count), far: internetLike(40, count) };
  const routers = rigs.filter(({ daemon }) => daemon.isRouter);
  await attempts.each((each) => each.establish({ ...INTERNAL, isReflector: true }), routers);
  await ours.announce(CLIENT, mrtOf(tables.ours));
  await far.announce(CLIENT, mrtOf(tables.far));
  await arrives(attempts, routers, { at: ours, from: far, table: tables.far });
  await arrives(attempts, routers, { at: far, from: ours, table: tables.ours });
  const others = rigs.filter(({ daemon }) => !daemon.isRouter);
  await attempts.each((each) => exchanges(each, tables), others);
}

type Way = { readonly at: OurNode; readonly from: OurNode; readonly table: readonly Route[] };

async function arrives(attempts: Attempts, rigs: readonly Rig[], way: Way): Promise<void> {
  const { at, from, table } = way;
  await attempts.each(
    (rig) =>
      rig.becomes(async () => {
        const status = await at.status(rig.daemon.address(4));
        const count = status?.prefixesReceived ?? 0;
        assert.ok(count >= table.length, `${count} routes have arrived at ${at.name}`);
      }, ARRIVED_MS),
    rigs,
  );
  const view = new TableView();
  for await (const record of at.table()) view.add(record);
  const origin = parseAddress(from.address);
  await attempts.each(
    async ({ daemon }) => view.isReflected(table, { peer: daemon.address(4), origin }),
    rigs,
  );
}

async function exchanges(rig: Rig, { ours, far }: Tables): Promise<void> {
  const routes = far.map((route) => seenAs(route).prefix);
  const session = { ...INTERNAL, routes };
  await rig.establish(session, {}, ARRIVED_MS);
  await has(rig, session, ours);
}

/** Waits until the daemon has each route as ours announces it. */
async function has(rig: Rig, session: Session, table: readonly Route[]): Promise<void> {
  const { daemon, ours } = rig;
  const isInternal = session.asn === OUR_ASN;
  const expected = table.map(seenAs).map((route) => ({
    ...route,
    nextHop: ours.address,
    asPath: isInternal ? route.asPath : `${OUR_ASN} ${route.asPath}`,
  }));
  await rig.becomes(async () => {
    const seen = byPrefix(await daemon.seen(session, 4));
    for (const route of expected) {
      const found = seen.get(route.prefix);
      assert.ok(found, `${daemon.name} has no route to ${route.prefix}`);
      // Outside of our AS it is each daemon's own matter.
      const { localPreference } = isInternal ? found : route;
      assert.deepEqual({ ...found, localPreference, origin: found.origin.toLowerCase() }, route);
    }
  }, ARRIVED_MS);
}
