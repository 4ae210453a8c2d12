import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Afi,
  type Capability,
  endOfRib,
  KEEPALIVE,
  RefreshSubtype,
  type RouteRefresh,
  Safi,
  type Update,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer, withOptions } from '../../testing/scripted_peer.ts';

const REFRESH: readonly Capability[] = [{ kind: 'route-refresh' }];
const ENHANCED: readonly Capability[] = [...REFRESH, { kind: 'enhanced-route-refresh' }];

function refresh(subtype: number, afi: number = Afi.Ipv4): RouteRefresh {
  return { kind: 'route-refresh', afi, safi: Safi.Unicast, subtype };
}

/** What the peer has heard since: kinds of messages, refreshes with their subtype. */
function heard({ heard: messages }: ScriptedPeer): string[] {
  return messages
    .splice(0)
    .map((each) => (each.kind === 'route-refresh' ? `refresh ${each.subtype}` : each.kind));
}

const BEGIN = `refresh ${RefreshSubtype.Begin}`;
const END = `refresh ${RefreshSubtype.End}`;

test('a refresh is answered with the table, between Begin and End where that was agreed', () => {
  for (const [capabilities, expected] of [
    [ENHANCED, [BEGIN, 'update', END]],
    [REFRESH, ['update']],
  ] as const) {
    const peer = new ScriptedPeer(capabilities);
    peer.say(refresh(RefreshSubtype.Request));
    peer.clock.advance(100);
    assert.deepEqual(heard(peer), expected);
  }
});

test('a refresh before our End-of-RIB is the table alone, after it one with Begin and End', () => {
  const family = { afi: Afi.Ipv4, safi: Safi.Unicast, forwarding: true };
  const restart = { restarting: false, notification: false, restartTimeSeconds: 300 };
  const graceful = { kind: 'graceful-restart', ...restart, families: [family] } as const;
  const peer = new ScriptedPeer([...ENHANCED, graceful]);
  const { live } = peer.peer;
  assert.ok(live !== undefined);
  live.owesEndOfRib = true;
  peer.say(refresh(RefreshSubtype.Request));
  peer.clock.advance(100);
  const [table, end, ...more] = peer.heard.splice(0);
  assert.deepEqual([table?.kind, end, more], ['update', endOfRib(4), []]);
  peer.say(refresh(RefreshSubtype.Request));
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), [BEGIN, 'update', END]);
});

test('requests while the peer does not read are answered once', () => {
  const peer = new ScriptedPeer(ENHANCED);
  peer.isReading = false;
  peer.say(...Array(1_000).fill(refresh(RefreshSubtype.Request)));
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), [BEGIN, 'update', END], 'this goes into the send buffer');
  peer.isReading = true;
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), [BEGIN, 'update', END]);
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), []);
});

/** Announces a route. */
function route(prefix: string): Update {
  const nextHop = parseAddress('192.168.80.101');
  const attributes = { origin: 0 as const, asPath: [], localPreference: 100, nextHop };
  const announced = [{ prefix: parsePrefix(prefix) }];
  return { kind: 'update', withdrawn: [], announced, attributes, problems: [] };
}

const ROUTES = [route('10.244.2.0/26'), route('10.244.3.0/26')] as const;

function withRoutes(capabilities: readonly Capability[]): ScriptedPeer {
  const peer = new ScriptedPeer(capabilities);
  peer.say(...ROUTES);
  peer.clock.advance(100);
  assert.equal(peer.peer.received.size, 2);
  return peer;
}

/** How many of its routes are there, and how many of them stale. */
function routesOf({ peer: { received } }: ScriptedPeer): string {
  return `${received.size} ${received.staleCount}`;
}

/** What is there after each message. */
function after(peer: ScriptedPeer, ...messages: readonly (RouteRefresh | Update)[]): string[] {
  return messages.map((message) => {
    peer.say(message);
    peer.clock.advance(100);
    return routesOf(peer);
  });
}

test('what the peer does not renew between Begin and End goes', () => {
  const told = [refresh(RefreshSubtype.Begin), ROUTES[0], refresh(RefreshSubtype.End)];
  assert.deepEqual(after(withRoutes(ENHANCED), ...told), ['2 2', '2 1', '1 0']);
  assert.deepEqual(after(withRoutes(REFRESH), ...told), ['2 0', '2 0', '2 0'], 'not agreed');
});

test('an End without Begin ends nothing that is stale for another reason', () => {
  const peer = withRoutes(ENHANCED);
  peer.peer.received.markStale([4]);
  assert.deepEqual(after(peer, refresh(RefreshSubtype.End)), ['2 2']);
});

test('a Begin counts only after End-of-RIB, where the peer restarts gracefully', () => {
  const family = { afi: Afi.Ipv4, safi: Safi.Unicast, forwarding: true };
  const restart = { restarting: false, notification: false, restartTimeSeconds: 300 };
  const graceful = { kind: 'graceful-restart', ...restart, families: [family] } as const;
  const begin = refresh(RefreshSubtype.Begin);
  const peer = withRoutes([...ENHANCED, graceful]);
  assert.deepEqual(after(peer, begin, endOfRib(4), begin), ['2 0', '2 0', '2 2']);
  // Its restart has a time of its own.
  peer.hangUp();
  peer.clock.advance(200_000);
  assert.equal(routesOf(peer), '2 2');
  peer.clock.advance(101_000);
  assert.equal(routesOf(peer), '0 0');
});

test('a refresh that does not end is over some time after its first Begin', () => {
  const peer = withRoutes(ENHANCED);
  const begin = refresh(RefreshSubtype.Begin);
  assert.deepEqual(after(peer, begin, ROUTES[0]), ['2 2', '2 1']);
  for (let seconds = 0; seconds < 100; seconds += 50) {
    peer.clock.advance(50_000);
    peer.say(KEEPALIVE);
  }
  assert.equal(routesOf(peer), '2 1');
  peer.clock.advance(21_000);
  assert.equal(routesOf(peer), '1 0');
});

/** Both families are spoken, though the peer tells no IPv6 routes. */
function ofBothFamilies(): ScriptedPeer {
  const unicast: readonly Capability[] = [Afi.Ipv4, Afi.Ipv6].map((afi) => ({
    kind: 'multiprotocol',
    afi,
    safi: Safi.Unicast,
  }));
  const options = withOptions({ addressFamilies: ['IPv4', 'IPv6'] });
  const peer = new ScriptedPeer([...ENHANCED, ...unicast], 0, options);
  assert.deepEqual(peer.peer.live?.negotiated.families, [4, 6]);
  return peer;
}

test('a Begin of one family changes nothing for another', () => {
  const peer = ofBothFamilies();
  assert.deepEqual(after(peer, ...ROUTES), ['1 0', '2 0']);
  const [begin, end] = [refresh(RefreshSubtype.Begin), refresh(RefreshSubtype.End)];
  const [begin6, end6] = [
    refresh(RefreshSubtype.Begin, Afi.Ipv6),
    refresh(RefreshSubtype.End, Afi.Ipv6),
  ];
  assert.deepEqual(
    after(peer, begin, ROUTES[0], begin6, end6, begin, end),
    ['2 2', '2 1', '2 1', '2 1', '2 2', '0 0'],
    'the first was not told again since the last Begin',
  );
});

/** Counts walks over all routes of a peer. */
function countWalks({ speaker: { rib } }: ScriptedPeer): () => number {
  const { paths } = rib;
  let walks = 0;
  const counted =
    <A extends unknown[], R>(walk: (...parts: A) => R) =>
    (...parts: A): R => {
      walks += 1;
      return walk(...parts);
    };
  paths.eachOf = counted(paths.eachOf.bind(paths));
  paths.staleAllOf = counted(paths.staleAllOf.bind(paths));
  paths.doomStaleOf = counted(paths.doomStaleOf.bind(paths));
  return () => walks;
}

const MANY = 2_000;

/** One that has told so many that they are found by a walk. */
function withMany(): ScriptedPeer {
  const peer = ofBothFamilies();
  const all = Array.from({ length: MANY }, (_, at) => route(`10.${at >> 8}.${at & 255}.0/24`));
  peer.say(...all);
  peer.clock.advance(1_000);
  assert.equal(routesOf(peer), `${MANY} 0`);
  return peer;
}

test('whatever a peer begins and ends, many routes are walked over only when many were told', () => {
  const peer = withMany();
  const walks = countWalks(peer);
  const told = route('10.0.7.0/24');
  const unknown = { prefix: parsePrefix('10.99.0.0/24') };
  const withdrawal: Update = { ...told, withdrawn: [unknown], announced: [], attributes: {} };
  const round = [
    refresh(RefreshSubtype.Begin),
    told,
    refresh(RefreshSubtype.Begin, Afi.Ipv6),
    withdrawal,
    refresh(RefreshSubtype.End, Afi.Ipv6),
  ];
  peer.say(...Array.from({ length: 100 }, () => round).flat());
  peer.clock.advance(1_000);
  assert.equal(routesOf(peer), `${MANY} ${MANY - 1}`);
  assert.ok(walks() <= 4, `${walks()} walks: to mark, and to sweep, each family once`);
  peer.say(refresh(RefreshSubtype.End));
  peer.clock.advance(1_000);
  assert.equal(routesOf(peer), '1 0');
  const before = walks();
  const again = [refresh(RefreshSubtype.Begin), told, refresh(RefreshSubtype.End)];
  peer.say(...Array.from({ length: 100 }, () => again).flat());
  peer.clock.advance(1_000);
  assert.equal(routesOf(peer), '1 0');
  assert.equal(walks(), before);
});

test('Begin and End-of-RIB again and again cost one walk over the routes', () => {
  const peer = withMany();
  const walks = countWalks(peer);
  peer.say(...Array(400).fill(endOfRib(4)));
  peer.clock.advance(100);
  assert.equal(walks(), 0, 'nothing is stale');
  assert.equal(peer.notes.filter(({ kind }) => kind === 'end-of-rib').length, 1);
  peer.say(...Array(400).fill(refresh(RefreshSubtype.Begin)), ...Array(400).fill(endOfRib(4)));
  peer.clock.advance(100);
  assert.equal(walks(), 1);
  assert.equal(routesOf(peer), `${MANY} ${MANY}`, 'only End says that what is stale is gone');
});
