import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { Fixture, heldBack, NOTHING_MORE, SUBNET } from '../../testing/kernel_fixture.ts';
import { path, RibFiller } from '../../testing/paths.ts';
import { KernelSync } from './kernel_sync.ts';

test('blocks of other nodes, own blocks and single addresses', () => {
  const { kernel } = new Fixture({}, ['10.244.58.192/26', '10.244.3.3/32']).learn(
    { prefix: '10.244.85.192/26' },
    { prefix: '10.244.58.200/32' },
    { prefix: '10.244.58.192/26', from: 'local' },
    { prefix: '10.244.3.3/32', from: 'local' },
    { prefix: '10.244.9.7/32', from: 'local' },
  );
  assert.deepEqual(kernel.describe(), [
    '10.244.58.200/32 via 192.168.80.101',
    '10.244.85.192/26 via 192.168.80.101',
    'blackhole 10.244.58.192/26',
  ]);
});

test('what is inside of an aggregate stays here, another own route of its prefix goes on', () => {
  const fixture = new Fixture();
  const { rib } = fixture.table;
  const { prefix, data } = path({ prefix: '10.244.0.0/16', from: 'local' });
  fixture.learn({ prefix: '10.244.0.0/16', from: 'local' });
  assert.deepEqual(fixture.kernel.describe(), []);
  const source = rib.paths.addSource({ kind: 'local', isAggregate: true });
  const attributes = { ...data.attributes, localPreference: 200 };
  rib.put({ prefix, data: { ...data, attributes }, source });
  assert.deepEqual(fixture.settle().kernel.describe(), ['blackhole 10.244.0.0/16']);
  rib.remove(prefix, source);
  assert.deepEqual(fixture.settle().kernel.describe(), []);
});

test('IPIP: by tunl0 onlink, always or across subnets, and a problem while tunl0 is missing', () => {
  const fixture = new Fixture({ ipipMode: 'Always' }).learn({});
  assert.deepEqual(fixture.kernel.describe(), []);
  assert.match(fixture.sync.problems.join(), /device "tunl0" does not exist or is down.*"Always"/);
  fixture.kernel.interfaces.set('tunl0', 9);
  fixture.sync.followWays();
  const [route] = fixture.kernel.list();
  assert.deepEqual(route?.hops, [
    { gateway: parseAddress('192.168.80.101'), interfaceIndex: 9, onlink: true },
  ]);
  assert.deepEqual(fixture.sync.problems, []);
  fixture.configure({ ipipMode: 'CrossSubnet' });
  assert.equal(fixture.kernel.list()[0]?.hops[0]?.interfaceIndex, 2, 'a neighbour goes native');
  fixture.learn({ via: '192.168.81.101' });
  assert.equal(fixture.kernel.list()[0]?.hops[0]?.interfaceIndex, 9);
});

test('an IPv4 route may go by an IPv6 gateway, but not through an IPIP tunnel', () => {
  const fixture = new Fixture().learn({ via: 'fd00::101' });
  assert.deepEqual(fixture.kernel.describe(), ['10.244.85.192/26 via fd00::101']);
  fixture.kernel.interfaces.set('tunl0', 9);
  fixture.configure({ ipipMode: 'Always' });
  assert.match(fixture.sync.problems.join(), /via "fd00::101": IPIP needs an IPv4 next hop/);
});

test('a link-local next hop is on its interface, also across subnets, while that is up', () => {
  const fixture = new Fixture({ ipipMode: 'CrossSubnet' });
  fixture.kernel.interfaces.set('eth1', 5);
  fixture.learn({ from: 'fe80::1', onLink: 'eth1' });
  assert.deepEqual(fixture.kernel.list()[0]?.hops, [
    { gateway: parseAddress('fe80::1'), interfaceIndex: 5, onlink: false },
  ]);
  fixture.kernel.interfaces.delete('eth1');
  fixture.sync.followWays();
  assert.deepEqual(fixture.kernel.list(), []);
  assert.match(fixture.sync.problems.join(), /no route to the next hop/);
});

test('VXLAN pools are left to Felix, in both modes', () => {
  for (const vxlanMode of ['Always', 'CrossSubnet']) {
    const { kernel, sync } = new Fixture({ vxlanMode }).learn({}, { via: '192.168.81.1' });
    assert.deepEqual(kernel.describe(), []);
    assert.deepEqual(sync.problems, []);
  }
});

test('a next hop behind a gateway is reached through it, and followed when it moves', () => {
  const fixture = new Fixture();
  const next = '192.168.81.101';
  fixture.kernel.ways.set(next, { gateway: parseAddress('192.168.80.1'), interfaceIndex: 2 });
  fixture.learn({ via: next });
  assert.deepEqual(fixture.kernel.describe(), ['10.244.85.192/26 via 192.168.80.1']);
  fixture.kernel.ways.set(next, { gateway: parseAddress('192.168.80.2'), interfaceIndex: 2 });
  fixture.sync.followWays();
  assert.deepEqual(fixture.kernel.describe(), ['10.244.85.192/26 via 192.168.80.2']);
  fixture.kernel.ways.set(next, undefined);
  fixture.sync.followWays();
  assert.deepEqual(fixture.kernel.describe(), []);
  assert.match(fixture.sync.problems.join(), /the kernel has no route to the next hop/);
});

test('equal paths become a multipath route', () => {
  const fixture = new Fixture().learn({ from: '192.168.80.102' }, { from: '192.168.80.101' });
  assert.deepEqual(fixture.kernel.describe(), [
    '10.244.85.192/26 via 192.168.80.101, via 192.168.80.102',
  ]);
  fixture.table.remove(path({ from: '192.168.80.101' }));
  fixture.settle();
  assert.deepEqual(fixture.kernel.describe(), ['10.244.85.192/26 via 192.168.80.102']);
});

test('what someone else removes or alters is put right and told; what is ours is not', () => {
  const fixture = new Fixture({}, ['10.244.1.0/26']).learn(
    {},
    { prefix: '10.244.1.0/26', from: 'local' },
  );
  const { kernel, sync } = fixture;
  sync.resync();
  assert.deepEqual(fixture.repaired, []);
  kernel.routes.delete('10.244.85.192/26');
  const [blackhole] = kernel.list();
  assert.ok(blackhole);
  const hop = { gateway: parseAddress('192.168.80.9'), interfaceIndex: 2, onlink: false };
  kernel.routes.set('10.244.1.0/26', { ...blackhole, type: 'unicast', hops: [hop] });
  sync.resync();
  const both = ['10.244.85.192/26 via 192.168.80.101', 'blackhole 10.244.1.0/26'];
  assert.deepEqual(new Set(fixture.repaired.splice(0)), new Set(both));
  kernel.log.length = 0;
  sync.resync();
  assert.deepEqual([kernel.log, fixture.repaired], [[], []]);
});

test('contradicts() tells foreign changes from our own', () => {
  const { kernel, sync } = new Fixture().learn({});
  const [ours] = kernel.list();
  assert.ok(ours);
  assert.equal(sync.contradicts('new', ours), false);
  assert.equal(sync.contradicts('deleted', ours), true);
  const other = { ...ours, hops: [] };
  assert.equal(sync.contradicts('new', other), true);
  assert.equal(sync.contradicts('deleted', other), false);
});

test('a prefix that another owner holds is left alone until it is free', () => {
  const fixture = new Fixture();
  fixture.kernel.foreign.add('10.244.85.192/26');
  fixture.learn({});
  assert.equal(fixture.sync.isDone, false);
  assert.match(fixture.sync.problems.join(), /another owner has a route to that prefix/);
  fixture.kernel.foreign.clear();
  fixture.sync.followWays();
  assert.equal(fixture.sync.isDone, false, 'ways that are as before bring nothing new');
  fixture.sync.resync();
  assert.equal(fixture.sync.isDone, true);
  assert.equal(fixture.kernel.routes.size, 1);
});

test('routes of an earlier process stay until they may go', () => {
  const before = new Fixture().learn({}, { prefix: '10.244.7.0/26', from: '192.168.80.102' });
  const table = new RibFiller();
  const sync = new KernelSync(before.kernel, table.rib, {
    defer: (callback) => callback(),
    onNextHop: () => {},
    onWay: () => {},
    onRepaired: () => {},
    onSettled: () => {},
  });
  sync.takeInitial(before.kernel.list());
  before.kernel.log.length = 0;
  sync.configure({ pools: [], ...NOTHING_MORE, subnet: SUBNET, ownBlocks: new Set() });
  sync.resync();
  assert.deepEqual(before.kernel.log, []);
  table.put(path({}));
  sync.update({ prefixes: table.rib.settle(), isLosing: false });
  assert.deepEqual(before.kernel.log, [], 'the same route is not written again');
  sync.allowRemoval({
    blackholes: true,
    via: ({ value }) => value === parseAddress('192.168.80.102').value,
  });
  assert.deepEqual(before.kernel.log, ['Deleted 10.244.7.0/26 via 192.168.80.102']);
  assert.equal(
    formatPrefix(before.kernel.list()[0]?.prefix ?? parsePrefix('0.0.0.0/0')),
    '10.244.85.192/26',
  );
});

test("routes into ranges of services are kube-proxy's", () => {
  const fixture = new Fixture();
  fixture.more = { services: [parsePrefix('10.96.0.0/12')] };
  fixture.configure({});
  fixture.learn({ prefix: '10.96.0.0/12' }, { prefix: '10.96.0.7/32' }, {});
  assert.deepEqual(fixture.kernel.describe(), ['10.244.85.192/26 via 192.168.80.101']);
});

test('a peer behind a gateway gets a route, which its own announcement does not replace', () => {
  const fixture = new Fixture();
  const [address, gateway] = ['172.16.0.9', '192.168.80.1'].map((text) => parseAddress(text));
  assert.ok(address !== undefined && gateway !== undefined);
  fixture.more = { statics: [{ address, gateway }] };
  fixture.configure({});
  fixture.learn({ prefix: '172.16.0.9/32', via: '172.16.0.9' });
  assert.deepEqual(fixture.kernel.describe(), ['172.16.0.9/32 via 192.168.80.1']);
  fixture.kernel.ways.set('192.168.80.1', undefined);
  fixture.sync.followWays();
  assert.deepEqual(fixture.kernel.describe(), []);
  assert.match(fixture.sync.problems.join(), /peer "172.16.0.9" by "192.168.80.1": that is no/);
  fixture.kernel.ways.delete('192.168.80.1');
  fixture.sync.followWays();
  fixture.more = {};
  fixture.configure({});
  assert.deepEqual(fixture.kernel.describe(), ['172.16.0.9/32 via 172.16.0.9']);
});

test('a peer that could not be reached by what it told is reached behind its gateway', () => {
  const fixture = new Fixture();
  const [address, gateway] = ['172.16.0.9', '192.168.80.1'].map((text) => parseAddress(text));
  assert.ok(address !== undefined && gateway !== undefined);
  fixture.kernel.ways.set('172.16.0.7', undefined);
  fixture.learn({ prefix: '172.16.0.9/32', via: '172.16.0.7' }, { via: '192.168.80.1' });
  assert.match(fixture.sync.problems.join(), /Cannot route "172.16.0.9\/32"/);
  fixture.more = { statics: [{ address, gateway }] };
  fixture.configure({});
  assert.ok(fixture.kernel.describe().includes('172.16.0.9/32 via 192.168.80.1'));
  assert.deepEqual(fixture.sync.problems, []);
});

test('programClusterRoutes leaves out what it says', () => {
  for (const [spec, programs, count] of [
    [{}, { noEncapsulation: false, ipip: true }, 0],
    [{}, { noEncapsulation: true, ipip: false }, 1],
    [{ ipipMode: 'CrossSubnet' }, { noEncapsulation: false, ipip: true }, 1],
    [{ ipipMode: 'CrossSubnet' }, { noEncapsulation: true, ipip: false }, 0],
  ] as const) {
    const fixture = new Fixture();
    fixture.more = { programs };
    fixture.configure(spec);
    assert.equal(fixture.learn({}).kernel.routes.size, count);
  }
});

test('programClusterRoutes says nothing of what is in no pool', () => {
  for (const ipip of [true, false]) {
    const fixture = new Fixture();
    fixture.more = { programs: { noEncapsulation: false, ipip } };
    fixture.configure({});
    fixture.learn({}, { prefix: '0.0.0.0/0' }, { prefix: '172.16.0.0/12' });
    assert.deepEqual(fixture.kernel.describe(), [
      '0.0.0.0/0 via 192.168.80.101',
      '172.16.0.0/12 via 192.168.80.101',
    ]);
  }
});

test('what changes while the kernel works is written afterwards, once', () => {
  const fixture = new Fixture();
  const work = heldBack(fixture);
  const { kernel, sync } = fixture;
  fixture.learn({}, { prefix: '10.244.7.0/26' });
  assert.equal(sync.isDone, false);
  const [first] = [{ prefix: parsePrefix('10.244.85.192/26'), type: 'unicast', hops: [] } as const];
  assert.equal(sync.contradicts('new', first), false, 'it may just have been written');
  fixture.learn({ via: '192.168.80.7' }).learn({ via: '192.168.80.8' });
  fixture.table.remove(path({ prefix: '10.244.7.0/26' }));
  fixture.settle();
  assert.deepEqual(kernel.log, []);
  work();
  assert.equal(sync.isDone, false);
  work();
  work();
  assert.equal(sync.isDone, true);
  assert.deepEqual(kernel.log, [
    '10.244.85.192/26 via 192.168.80.101',
    '10.244.7.0/26 via 192.168.80.101',
    '10.244.85.192/26 via 192.168.80.8',
    'Deleted 10.244.7.0/26 via 192.168.80.101',
  ]);
});

test('what is written during a reading of the kernel is not taken for the doing of others', () => {
  const fixture = new Fixture().learn({ prefix: '10.244.7.0/26' });
  const { kernel, sync } = fixture;
  kernel.routes.set('10.244.99.0/26', {
    prefix: parsePrefix('10.244.99.0/26'),
    type: 'blackhole',
    hops: [],
  });
  kernel.log.length = 0;
  const work = heldBack(fixture);
  // Being written when the reading begins, written during it, and begun but not done at its end.
  fixture.learn({});
  sync.resync();
  sync.resync();
  fixture.learn({ via: '192.168.80.9' });
  work();
  assert.deepEqual(fixture.repaired, []);
  work();
  work();
  work();
  assert.deepEqual(fixture.repaired, []);
  assert.deepEqual(kernel.log, [
    '10.244.85.192/26 via 192.168.80.101',
    '10.244.85.192/26 via 192.168.80.9',
    'Deleted blackhole 10.244.99.0/26',
  ]);
  assert.equal(sync.isDone, true);
});

test('a reading that may have left routes out changes nothing', () => {
  const fixture = new Fixture().learn({});
  fixture.kernel.read = (_visit, _visitOther, done) => done(false);
  fixture.sync.resync();
  assert.deepEqual([fixture.repaired, fixture.kernel.log.length], [[], 1]);
});

test('a change that fails is tried again with the next reading', () => {
  const fixture = new Fixture();
  const work = heldBack(fixture);
  fixture.kernel.foreign.add('10.244.85.192/26');
  const { settledCount } = fixture;
  fixture.learn({});
  work();
  assert.equal(fixture.settledCount, settledCount + 1);
  assert.match(fixture.sync.problems.join(), /another owner/);
  fixture.learn({ via: '192.168.80.9' });
  fixture.kernel.foreign.clear();
  work();
  assert.deepEqual([fixture.sync.isDone, fixture.sync.problems], [true, []]);
  assert.deepEqual(fixture.kernel.describe(), ['10.244.85.192/26 via 192.168.80.9']);
});

test('routes of a lost peer wait for each other; ways that go whole are not written one by one', () => {
  const fixture = new Fixture();
  const { kernel, table } = fixture;
  const routes = Array.from({ length: 2_000 }, (_, index) => {
    return { prefix: `10.244.${index >> 6}.${(index & 63) * 4}/30` };
  });
  fixture.learn(...routes, { prefix: '10.244.250.0/26' });
  const asked: number[] = [];
  kernel.removeWays = (prefixes, onGone) => {
    asked.push(prefixes.length);
    const gone = prefixes.subarray(0, 1_500);
    for (const id of gone) kernel.routes.delete(formatPrefix(table.rib.prefixes.prefixOf(id)));
    onGone(gone.subarray(0, 1_000), false);
    onGone(gone.subarray(1_000), true);
  };
  kernel.log.length = 0;
  for (const fields of routes) table.remove(path(fields));
  const { rib } = table;
  fixture.sync.update({ prefixes: rib.settle(1_000), isLosing: true });
  assert.deepEqual([asked, kernel.log], [[], []]);
  fixture.sync.update({ prefixes: rib.settle(), isLosing: false });
  assert.deepEqual(asked, [2_000]);
  assert.equal(kernel.log.length, 500, 'the others');
  assert.deepEqual(kernel.describe(), ['10.244.250.0/26 via 192.168.80.101']);
  assert.equal(fixture.sync.isDone, true);
  rib.settle();
  assert.equal(rib.prefixes.size, 1, 'nothing holds the others');
});

test('a route that is wanted again before it could be removed stays', () => {
  const fixture = new Fixture().learn({});
  const { kernel, table } = fixture;
  kernel.log.length = 0;
  table.remove(path({}));
  fixture.sync.update({ prefixes: table.rib.settle(), isLosing: true });
  fixture.learn({});
  assert.deepEqual(kernel.log, []);
  assert.equal(fixture.sync.isDone, true);
});

test('a next hop behind several gateways is routed through all of them, each once', () => {
  const fixture = new Fixture();
  const { kernel } = fixture;
  const first = parseAddress('192.168.80.1');
  const second = parseAddress('192.168.81.1');
  const third = parseAddress('192.168.82.1');
  const others = [{ gateway: second, interfaceIndex: 3 }];
  kernel.ways.set('192.168.80.101', { gateway: first, interfaceIndex: 2, others });
  kernel.ways.set('192.168.80.102', { gateway: second, interfaceIndex: 3 });
  fixture.learn({}, { from: '192.168.80.102' });
  const both = '10.244.85.192/26 via 192.168.80.1, via 192.168.81.1';
  assert.deepEqual(kernel.describe(), [both]);
  kernel.ways.set('192.168.80.101', {
    gateway: first,
    interfaceIndex: 2,
    others: [...others, { gateway: third, interfaceIndex: 4, onlink: true }],
  });
  fixture.sync.resync();
  assert.deepEqual(kernel.describe(), [`${both}, via 192.168.82.1`]);
  const hops = kernel.routes.get('10.244.85.192/26')?.hops ?? [];
  assert.deepEqual(
    hops.map(({ onlink }) => onlink),
    [false, false, true],
  );
  kernel.ways.set('192.168.80.101', { gateway: first, interfaceIndex: 2 });
  kernel.ways.set('192.168.80.102', { gateway: first, interfaceIndex: 2 });
  fixture.sync.resync();
  assert.deepEqual(kernel.describe(), ['10.244.85.192/26 via 192.168.80.1']);
});

test('what is planned anew is not in force before the kernel has been read, and has got it', () => {
  const fixture = new Fixture().learn({});
  const { kernel, sync } = fixture;
  const work = heldBack(fixture);
  const settled = fixture.settledCount;
  kernel.ways.set('192.168.80.101', {
    gateway: parseAddress('192.168.80.1'),
    interfaceIndex: 2,
  });
  sync.resync();
  assert.equal(sync.isDone, false, 'the kernel is being read');
  work();
  assert.equal(sync.isDone, false, 'the kernel is being written');
  assert.equal(fixture.settledCount, settled);
  work();
  assert.deepEqual([sync.isDone, fixture.settledCount], [true, settled + 1]);
  assert.deepEqual(kernel.describe(), ['10.244.85.192/26 via 192.168.80.1']);
});

test('a next hop that is told again is asked about again', () => {
  const fixture = new Fixture();
  const { kernel, sync, table } = fixture;
  const via = '192.168.81.101';
  const nextHop = parseAddress(via);
  const { hops } = table.rib.attributes;
  const tell = (): void => {
    fixture.learn({ via });
    hops.noteTold(hops.find(nextHop) as number);
    sync.askNew(() => true);
  };
  const withdraw = (): void => {
    table.remove(path({ via }));
    fixture.settle();
    table.rib.settle();
    assert.equal(hops.find(nextHop), undefined);
  };
  kernel.ways.set(via, undefined);
  tell();
  assert.match(sync.problems.join(), /no route to the next hop/);
  withdraw();
  kernel.ways.set(via, { gateway: parseAddress('192.168.80.1'), interfaceIndex: 2 });
  tell();
  assert.deepEqual(kernel.describe(), ['10.244.85.192/26 via 192.168.80.1']);
  assert.deepEqual([sync.isDone, sync.problems], [true, []]);
  withdraw();
  kernel.ways.set(via, undefined);
  tell();
  assert.deepEqual(kernel.describe(), []);
});

test('what the kernel has done when the service has stopped is no news', () => {
  const fixture = new Fixture();
  fixture.sync.watch([parseAddress('10.244.85.193')]);
  fixture.learn({});
  assert.equal(fixture.wayCount, 1);
  const work = heldBack(fixture);
  fixture.learn({ via: '192.168.80.9' });
  fixture.sync.stop();
  work();
  assert.deepEqual([fixture.kernel.log.length, fixture.wayCount], [2, 1]);
});

test('the way to the gateway of a peer matters as the one to a next hop does', () => {
  const fixture = new Fixture();
  const [address, gateway, other] = ['172.16.0.9', '192.168.80.1', '192.168.80.2'].map((text) =>
    parseAddress(text),
  );
  assert.ok(address && gateway && other);
  fixture.more = { statics: [{ address, gateway }] };
  fixture.configure({});
  assert.equal(fixture.sync.concerns({ kind: 'ways', to: gateway }), true);
  assert.equal(fixture.sync.concerns({ kind: 'ways', to: other }), false);
  fixture.learn({ prefix: '192.168.80.1/32' }, { prefix: '192.168.80.2/32' });
  assert.equal(fixture.wayCount, 1);
  fixture.more = {};
  fixture.configure({});
  assert.equal(fixture.sync.concerns({ kind: 'ways', to: gateway }), false);
});

test('of very many routes that cannot be programmed some are named', () => {
  const fixture = new Fixture();
  fixture.kernel.ways.set('192.168.81.1', undefined);
  const prefixes = Array.from({ length: 50 }, (_, index) => `10.244.${index}.0/26`);
  fixture.learn(...prefixes.map((prefix) => ({ prefix, via: '192.168.81.1' })));
  const { problems } = fixture.sync;
  assert.equal(problems.length, 21);
  assert.equal(problems.at(-1), '30 more routes cannot be programmed');
});
