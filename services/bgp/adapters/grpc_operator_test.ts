// What operators and clients do to a speaker: watch, reset, look up, inject.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefreshSubtype } from '@calico/bgp-wire';
import { FakeClock } from '@calico/clock';
import type {
  InjectedRoute,
  ListRoutesRequest,
  ListRoutesResponse,
} from '@calico/proto/bgp/v1/bgp';
import { ResetKind, Table } from '@calico/proto/bgp/v1/bgp';
import type { CallContext, RpcError } from '@calico/rpc';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from '../testing/resources.ts';
import { SimulatedCluster } from '../testing/simulated_cluster.ts';
import { createHandlers } from './grpc_handlers.ts';

const B = '192.168.80.101';

/** As if each look at the clock took long: what is much is done in several turns, as in earnest. */
class SlowClock extends FakeClock {
  #looks = 0;

  override monotonic(): number {
    this.#looks += 1;
    return super.monotonic() + this.#looks / 4;
  }
}

function start(clock = new FakeClock(1_700_000_000_000)) {
  const cluster = new SimulatedCluster(1, undefined, clock);
  cluster.resources = [
    bgpConfiguration({ asNumber: 64512 }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', `${B}/24`),
    affinity('a', '10.244.1.0/26'),
    ...Array.from({ length: 9 }, (_, index) => affinity('b', `10.244.2${index}.0/26`)),
  ];
  /** Subtypes of the ROUTE-REFRESH messages that b has received. */
  const refreshes: number[] = [];
  cluster.recordOf = (name) => (input) => {
    if (name !== 'b' || input.kind !== 'event' || input.event.kind !== 'session') return;
    const { event } = input.event;
    if (event.kind !== 'connection' || event.event.kind !== 'message') return;
    const { message } = event.event;
    if (message.kind === 'route-refresh') refreshes.push(message.subtype);
  };
  cluster.start('a');
  cluster.start('b');
  cluster.advance(5_000);
  const handlers = createHandlers(cluster.node('a').bgp, 'a', '1.2.3');
  return { cluster, handlers, refreshes };
}

type Handlers = ReturnType<typeof start>['handlers'];

function call(signal: AbortSignal = new AbortController().signal): CallContext {
  return { peer: 'test', signal };
}

async function list(
  handlers: Handlers,
  request: Partial<ListRoutesRequest>,
): Promise<ListRoutesResponse[]> {
  const empty = { table: Table.LOC_RIB, peer: '', prefix: '', lookup: '', limit: 0, pageToken: '' };
  const whole = { $typeName: 'calico.bgp.v1.ListRoutesRequest' as const, ...empty, ...request };
  const rows: ListRoutesResponse[] = [];
  for await (const row of handlers.listRoutes(whole, call())) rows.push(row as ListRoutesResponse);
  return rows;
}

function injected(prefix: string, more: Partial<InjectedRoute> = {}): InjectedRoute {
  const $typeName = 'calico.bgp.v1.InjectedRoute';
  return { $typeName, prefix, nextHop: '', asPath: [], communities: [], ...more };
}

function inject(
  handlers: Handlers,
  client: string,
  routes: InjectedRoute[],
  mrt: Uint8Array = new Uint8Array(0),
  force = false,
) {
  const $typeName = 'calico.bgp.v1.InjectRoutesRequest';
  return handlers.injectRoutes({ $typeName, client, routes, mrt, force }, call());
}

function withdraw(handlers: Handlers, client: string, prefixes: string[]) {
  const $typeName = 'calico.bgp.v1.WithdrawRoutesRequest';
  return handlers.withdrawRoutes({ $typeName, client, prefixes }, call());
}

function reset(handlers: Handlers, kind: ResetKind, communication = '', peer = B) {
  const $typeName = 'calico.bgp.v1.ResetPeerRequest';
  return handlers.resetPeer({ $typeName, peer, kind, communication }, call());
}

function told(cluster: SimulatedCluster): string[] {
  const peer = cluster.node('b').speaker.peers.get('192.168.80.100');
  return Array.from(peer?.received ?? [], ({ prefix, data }) => {
    const { asPath = [], communities = [] } = data.attributes;
    const value = [24n, 16n, 8n, 0n].map((shift) => (prefix.value >> shift) & 255n).join('.');
    return `${value}/${prefix.length} ${asPath.flatMap(({ asns }) => asns).join()} ${communities.join()}`;
  }).toSorted();
}

async function isRefused(attempt: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(attempt, (error: RpcError) => {
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

test('listRoutes() in pages gives every route once, sorted', async () => {
  const { handlers } = start();
  const all = (await list(handlers, {})).map(({ prefix }) => prefix);
  const paged: string[] = [];
  let pageToken = '';
  let pages = 0;
  do {
    const page = await list(handlers, { limit: 4, pageToken });
    paged.push(...page.map(({ prefix }) => prefix));
    pageToken = page.at(-1)?.nextPageToken ?? '';
    pages += 1;
    assert.ok(page.length <= 4);
  } while (pageToken !== '');
  assert.equal(pages, 3);
  assert.deepEqual(paged, all.toSorted());
  const rest = await list(handlers, { limit: 0, pageToken: paged[3] ?? '' });
  assert.deepEqual(rest.map(({ prefix }) => prefix).toSorted(), paged.slice(4));
});

test('listRoutes() looks up the longest match', async () => {
  const { handlers } = start();
  await inject(handlers, 'c', [injected('10.244.20.0/28'), injected('10.0.0.0/8')]);
  const lookup = async (address: string): Promise<string[]> =>
    (await list(handlers, { lookup: address })).map(({ prefix }) => prefix);
  assert.deepEqual(await lookup('10.244.20.3'), ['10.244.20.0/28']);
  assert.deepEqual(await lookup('10.244.20.33'), ['10.244.20.0/26']);
  assert.deepEqual(await lookup('10.9.9.9'), ['10.0.0.0/8']);
  assert.deepEqual(await lookup('11.0.0.1'), []);
  await isRefused(
    list(handlers, { lookup: '10.0.0.1', prefix: '10.0.0.0/8' }),
    'INVALID_ARGUMENT',
    /together with prefix/,
  );
});

test('injectRoutes() announces, withdrawRoutes() takes back, each client its own', async () => {
  const { cluster, handlers } = start();
  const before = told(cluster);
  const route = injected('172.30.0.0/24', { asPath: [65_001], communities: ['64512:100'] });
  assert.deepEqual(await inject(handlers, 'one', [route]), { held: 1, leftOut: 0 });
  await inject(handlers, 'two', [injected('172.30.1.0/24'), injected('172.30.2.0/24')]);
  cluster.advance(100);
  assert.deepEqual(told(cluster), [
    ...before,
    `172.30.0.0/24 65001 ${64_512 * 65_536 + 100}`,
    '172.30.1.0/24  ',
    '172.30.2.0/24  ',
  ]);
  const [row] = await list(handlers, { prefix: '172.30.0.0/24' });
  assert.deepEqual([row?.client, row?.best, row?.asPathText], ['one', true, '65001']);
  const $typeName = 'calico.bgp.v1.ExplainRequest';
  const why = await handlers.explain({ $typeName, prefix: '172.30.0.0/24', peer: '' }, call());
  assert.equal(why.exports?.[0]?.reason, 'injected by "one"');
  assert.match(why.kernel ?? '', /gets no route/);
  assert.deepEqual(await withdraw(handlers, 'one', ['172.30.1.0/24']), { withdrawn: 0 });
  assert.deepEqual(await withdraw(handlers, 'two', ['172.30.1.0/24']), { withdrawn: 1 });
  assert.deepEqual(await withdraw(handlers, 'one', []), { withdrawn: 1 });
  cluster.advance(100);
  assert.deepEqual(told(cluster), [...before, '172.30.2.0/24  ']);
});

test('injectRoutes() takes what dumpTable() gives', async () => {
  const { handlers } = start();
  const pieces: Uint8Array[] = [];
  const request = { $typeName: 'calico.bgp.v1.DumpTableRequest' } as const;
  for await (const { mrt } of handlers.dumpTable(request, call())) if (mrt) pieces.push(mrt);
  const whole = new Uint8Array(Buffer.concat(pieces));
  const other = start();
  // All but the node's own block, and those of the other.
  assert.deepEqual(await inject(other.handlers, 'file', [], whole), { held: 0, leftOut: 9 });
  assert.deepEqual(await inject(other.handlers, 'file', [], whole, true), { held: 9, leftOut: 0 });
  const rows = await list(other.handlers, {});
  assert.equal(rows.filter(({ client }) => client === 'file').length, 9);
  await isRefused(
    inject(other.handlers, 'file', [], whole.subarray(0, 30)),
    'INVALID_ARGUMENT',
    /Cannot read MRT record/,
  );
});

test('injectRoutes() takes no blocks of other nodes, unless it is forced', async () => {
  const { cluster, handlers } = start();
  const [block, other] = [injected('10.244.21.0/26'), injected('10.244.99.0/26')];
  await isRefused(
    inject(handlers, 'c', [other, block]),
    'FAILED_PRECONDITION',
    /"10\.244\.21\.0\/26": peer "192\.168\.80\.101" tells it, .* IP pool "10\.244\.0\.0\/16"/,
  );
  assert.equal(cluster.node('a').speaker.injected.countOf('c'), 0);
  assert.deepEqual(await inject(handlers, 'c', [other]), { held: 1, leftOut: 0 });
  assert.deepEqual(await inject(handlers, 'c', [block], undefined, true), { held: 2, leftOut: 0 });
  const ofB = createHandlers(cluster.node('b').bgp, 'b', '1.2.3');
  await inject(ofB, 'c', [injected('172.30.0.0/24')]);
  cluster.advance(1_000);
  // What a peer tells outside of the pools may be told from here as well.
  assert.deepEqual(await inject(handlers, 'c', [injected('172.30.0.0/24')]), {
    held: 3,
    leftOut: 0,
  });
});

test('listRoutes() of a peer goes on while its table changes', async () => {
  const { cluster, handlers } = start();
  const routes = Array.from({ length: 2_000 }, (_, index) =>
    injected(`172.${16 + (index >> 8)}.${index & 255}.0/24`),
  );
  await inject(handlers, 'c', routes);
  cluster.advance(1_000);
  const $typeName = 'calico.bgp.v1.ListRoutesRequest';
  const request = { $typeName, peer: B, prefix: '', lookup: '', limit: 0, pageToken: '' } as const;
  const rows = handlers.listRoutes({ ...request, table: Table.ADJ_RIB_OUT }, call());
  const iterator = rows[Symbol.asyncIterator]();
  assert.equal((await iterator.next()).done, false);
  await withdraw(handlers, 'c', []);
  cluster.advance(1_000);
  let count = 0;
  while ((await iterator.next()).done !== true) count += 1;
  assert.ok(count < 1_000, `${count} more rows of a table that is nearly empty`);
});

test('many routes are injected and taken back in several turns, and each call is answered when all are', async () => {
  const { cluster, handlers } = start(new SlowClock(1_700_000_000_000));
  const { injected: held } = cluster.node('a').speaker;
  const routes = Array.from({ length: 2_000 }, (_, index) =>
    injected(`172.${16 + (index >> 8)}.${index & 255}.0/24`),
  );
  const first = inject(handlers, 'c', routes);
  assert.ok(held.countOf('c') < 1_000, `${held.countOf('c')} put in the first turn`);
  cluster.advance(100);
  assert.deepEqual(await first, { held: 2_000, leftOut: 0 });
  const withdrawal = withdraw(handlers, 'c', []);
  const second = inject(handlers, 'c', routes.slice(0, 5));
  assert.ok(held.countOf('c') > 500, `${held.countOf('c')} left after the first turn`);
  cluster.advance(100);
  assert.deepEqual(await withdrawal, { withdrawn: 2_000 });
  // What a client asks for is done in the order in which it has asked.
  assert.deepEqual(await second, { held: 5, leftOut: 0 });
});

test('injectRoutes() says what it would accept', async () => {
  const { handlers } = start();
  for (const [client, route, message] of [
    ['', injected('10.0.0.0/8'), /client ""/],
    ['c', injected('10.0.0.1/8'), /10\.0\.0\.1\/8/],
    ['c', injected('10.0.0.0/8', { nextHop: 'x' }), /"x"/],
    ['c', injected('10.0.0.0/8', { communities: ['70000:1'] }), /community "70000:1"/],
    ['c', injected('10.0.0.0/8', { communities: ['NoExport'] }), /"NoExport".* no-export,/],
    ['c', injected('10.0.0.0/8', { asPath: Array(40_000).fill(1) }), /AS path of "40000".* 8000/],
    [
      'c',
      injected('10.0.0.0/8', { communities: Array(9_999).fill('1:1') }),
      /communities of "9999"/,
    ],
    ['c', injected('10.244.1.0/26'), /in "10\.244\.1\.0\/26", which this node announces itself/],
    ['c', injected('10.244.1.5/32'), /"10\.244\.1\.5\/32": it is in "10\.244\.1\.0\/26"/],
  ] as const) {
    await isRefused(inject(handlers, client, [route]), 'INVALID_ARGUMENT', message);
  }
});

test('injectRoutes() reads well-known communities by the names that "why" tells them by', async () => {
  const { cluster, handlers } = start();
  const before = told(cluster);
  const communities = ['64512:1', 'no-advertise', 'blackhole', 'no-llgr', '1:2:3'];
  await inject(handlers, 'c', [injected('172.30.0.0/24', { communities })]);
  cluster.advance(100);
  const [row] = await list(handlers, { prefix: '172.30.0.0/24' });
  assert.deepEqual(row?.communities, ['64512:1', '65535:65282', '65535:666', '65535:7']);
  assert.deepEqual(row?.largeCommunities, ['1:2:3']);
  assert.deepEqual(told(cluster), before);
});

test('holdRoutes() withdraws when the call ends', async () => {
  const { cluster, handlers } = start();
  const before = told(cluster);
  const abort = new AbortController();
  const request = { $typeName: 'calico.bgp.v1.HoldRoutesRequest', client: 'c' } as const;
  const hold = handlers.holdRoutes(request, call(abort.signal))[Symbol.asyncIterator]();
  await hold.next();
  await inject(handlers, 'c', [injected('172.30.0.0/24')]);
  cluster.advance(100);
  assert.equal(told(cluster).length, before.length + 1);
  abort.abort();
  assert.equal((await hold.next()).done, true);
  cluster.advance(100);
  assert.deepEqual(told(cluster), before);
});

test('holdRoutes() leaves the routes to a newer call of the same client', async () => {
  const { cluster, handlers } = start();
  const before = told(cluster);
  const hold = async () => {
    const abort = new AbortController();
    const request = { $typeName: 'calico.bgp.v1.HoldRoutesRequest', client: 'c' } as const;
    const held = handlers.holdRoutes(request, call(abort.signal))[Symbol.asyncIterator]();
    await held.next();
    return async () => {
      abort.abort();
      await held.next();
      cluster.advance(100);
    };
  };
  const endFirst = await hold();
  const endSecond = await hold();
  await inject(handlers, 'c', [injected('172.30.0.0/24')]);
  await endFirst();
  assert.equal(told(cluster).length, before.length + 1);
  await endSecond();
  assert.deepEqual(told(cluster), before);
});

test('watchPeers() tells all peers, then what changes', async () => {
  const { cluster, handlers } = start();
  const abort = new AbortController();
  const request = { $typeName: 'calico.bgp.v1.WatchPeersRequest', peer: '' } as const;
  const watch = handlers.watchPeers(request, call(abort.signal))[Symbol.asyncIterator]();
  const states = async (): Promise<unknown> => {
    const { value } = await watch.next();
    return value?.peers?.map(({ address, state }: Record<string, unknown>) => [address, state]);
  };
  assert.deepEqual(await states(), [[B, 'Established']]);
  const next = states();
  cluster.kill('b');
  cluster.advance(200);
  const [[address, state]] = (await next) as [[string, string]];
  assert.equal(address, B);
  assert.notEqual(state, 'Established');
  cluster.nodes.delete('b');
  const gone = watch.next();
  cluster.apply(cluster.resources.filter(({ metadata }) => metadata.name !== 'b'));
  cluster.advance(200);
  assert.deepEqual((await gone).value?.removed, [B]);
  abort.abort();
  assert.equal((await watch.next()).done, true);
});

test('resetPeer() hard ends the session with a text, and it comes back after a second', async () => {
  const { cluster, handlers } = start();
  await reset(handlers, ResetKind.HARD, 'new cables');
  cluster.advance(20);
  const lost = cluster.node('b').log.find((line) => line.startsWith('session lost'));
  assert.match(lost ?? '', /Administrative reset: new cables/);
  // Or the peer might see the new connection before it has read the text.
  cluster.advance(900);
  assert.equal(cluster.node('a').speaker.peers.get(B)?.session.phase, 'resting');
  cluster.advance(3_000);
  assert.ok(cluster.isConverged());
  assert.equal(told(cluster).length, 1);
});

test('resetPeer() softly asks and tells again without ending the session', async () => {
  const { cluster, handlers, refreshes } = start();
  const { speaker } = cluster.node('a');
  const since = speaker.peers.get(B)?.session.since;
  const { Request, Begin, End } = RefreshSubtype;
  await reset(handlers, ResetKind.SOFT_IN);
  cluster.advance(1_000);
  assert.deepEqual(refreshes.splice(0), [Request]);
  await reset(handlers, ResetKind.SOFT_OUT);
  cluster.advance(1_000);
  assert.deepEqual(refreshes, [Begin, End]);
  assert.deepEqual([speaker.peers.get(B)?.received.size, told(cluster).length], [9, 1]);
  assert.equal(speaker.peers.get(B)?.session.since, since);
  const text = 'ü'.repeat(128);
  await isRefused(reset(handlers, ResetKind.HARD, text), 'INVALID_ARGUMENT', /"256" bytes/);
  await isRefused(reset(handlers, ResetKind.HARD, '', '1.2.3.4'), 'NOT_FOUND', /Cannot reset peer/);
  await isRefused(reset(handlers, ResetKind.UNSPECIFIED), 'INVALID_ARGUMENT', /expected hard/);
  cluster.kill('b');
  cluster.advance(1_000);
  await isRefused(reset(handlers, ResetKind.SOFT_IN), 'FAILED_PRECONDITION', /not established/);
});

test('peers at one address are told apart by their keys', async () => {
  const { cluster, handlers } = start();
  const other = bgpPeer('other', { peerIP: `${B}:1790`, asNumber: 65_001 });
  cluster.apply([...cluster.resources, other]);
  cluster.advance(1_000);
  const abort = new AbortController();
  const request = { $typeName: 'calico.bgp.v1.WatchPeersRequest', peer: `${B}:1790` } as const;
  const watch = handlers.watchPeers(request, call(abort.signal))[Symbol.asyncIterator]();
  const { value } = await watch.next();
  assert.deepEqual(
    value?.peers?.map(({ key }: { key?: string }) => key),
    [`${B}:1790`],
  );
  abort.abort();
  await reset(handlers, ResetKind.HARD, 'new cables', `${B}:1790`);
  const { peers } = cluster.node('a').speaker;
  assert.equal(peers.get(B)?.session.phase, 'running');
  const { phase, lastError } = peers.get(`${B}:1790`)?.session ?? {};
  assert.equal(phase, 'resting');
  assert.match(lastError ?? '', /Administrative reset: new cables/);
});

test('listRoutes() tells the best path from those that are used beside it', async () => {
  const { cluster, handlers } = start();
  cluster.apply([...cluster.resources, node('c', '192.168.80.102/24')]);
  cluster.start('c');
  cluster.advance(5_000);
  for (const name of ['b', 'c']) {
    const others = createHandlers(cluster.node(name).bgp, name, '1.2.3');
    await inject(others, 'x', [injected('10.9.0.0/24')]);
  }
  await inject(handlers, 'x', [injected('10.8.0.0/24')]);
  cluster.advance(1_000);
  const rows = await list(handlers, { prefix: '10.8.0.0/15' });
  assert.deepEqual(
    rows.map((row) => `${row.learnedFrom} ${row.best} ${row.multipath}`).toSorted(),
    [' true false', `${B} true false`, '192.168.80.102 false true'],
  );
});

test('listRoutes() marks what a peer that is away has left', async () => {
  const { cluster, handlers } = start();
  const stale = async () =>
    (await list(handlers, {})).filter((route) => route.stale).map(({ learnedFrom }) => learnedFrom);
  assert.deepEqual(await stale(), []);
  cluster.kill('b');
  cluster.advance(1_000);
  assert.deepEqual(
    await stale(),
    Array.from({ length: 9 }, () => B),
  );
});

test('so many clients may have routes at a time', async () => {
  const { handlers } = start();
  for (let index = 0; index < 64; index++) {
    await inject(handlers, `c${index}`, [injected(`10.9.${index}.0/24`)]);
  }
  const late = () => inject(handlers, 'late', [injected('10.10.0.0/24')]);
  await isRefused(late(), 'RESOURCE_EXHAUSTED', /client "late": 64 others have routes/);
  await inject(handlers, 'c5', [injected('10.11.0.0/24')]);
  await withdraw(handlers, 'c6', []);
  assert.equal((await late()).held, 1);
});
