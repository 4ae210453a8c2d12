// Many routes of one peer in the kernel: by nexthop objects, and gone with them. Takes 2 s.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import {
  type Netlink,
  openBatch,
  openMonitor,
  openNetlinkIn,
  openRouteDump,
} from '@calico/netlink';
import { KernelEvents } from '../../services/bgp/adapters/kernel_events.ts';
import { KernelRoutes, newsOfRoute } from '../../services/bgp/adapters/kernel_routes.ts';
import { ChangeBatch } from '../../services/bgp/core/kernel/change_batch.ts';
import { type ChangeKind, REMOVE_ANYTHING } from '../../services/bgp/core/kernel/changes.ts';
import { KernelSync } from '../../services/bgp/core/kernel/kernel_sync.ts';
import { describeRoute } from '../../services/bgp/core/kernel/route_text.ts';
import { hopsOf, type KernelRoute, type OtherRoute } from '../../services/bgp/core/kernel/types.ts';
import { PrefixTable } from '../../services/bgp/core/rib/prefix_table.ts';
import type { KernelNews, RouteFailure } from '../../services/bgp/ports.ts';
import { NOTHING_MORE, SUBNET } from '../../services/bgp/testing/kernel_fixture.ts';
import { path, RibFiller } from '../../services/bgp/testing/paths.ts';
import { eventually, execOk } from '../lab/mod.ts';

const COUNT = 3_000;
const name = `cbgk${randomBytes(3).toString('hex')}`;
const isRoot = process.getuid?.() === 0;

describe('kernel routes of BGP', { skip: isRoot ? false : 'needs root' }, () => {
  let netlink: Netlink;
  let kernel: KernelRoutes;
  let interfaceIndex = 0;

  before(async () => {
    await execOk(['ip', 'netns', 'add', name]);
    await execOk(['ip', '-n', name, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'far0']);
    await execOk(['ip', '-n', name, 'address', 'add', '10.99.0.1/24', 'dev', 'up0']);
    for (const device of ['up0', 'far0']) {
      await execOk(['ip', '-n', name, 'link', 'set', device, 'up']);
    }
    const netns = `/run/netns/${name}`;
    netlink = openNetlinkIn(netns);
    kernel = new KernelRoutes(netlink, {
      batch: openBatch(netns),
      openDump: (filter) => openRouteDump(filter, netns),
    });
    interfaceIndex = netlink.linkByName('up0')?.index ?? 0;
    // The kernel notices a carrier up to a second later; nobody here follows links.
    await eventually(
      () => kernel.resolve(parseAddress('10.99.0.9')) !== undefined,
      60_000,
      () => 'up0 has no carrier',
    );
  });

  after(async () => {
    kernel?.close();
    netlink?.close();
    await execOk(['ip', 'netns', 'delete', name]);
  });

  const prefixes = new PrefixTable();

  function idOf(index: number): number {
    return prefixes.intern(parsePrefix(`16.${index >> 8}.${index & 255}.0/24`));
  }

  function change(
    kind: ChangeKind,
    via: string,
    from = 0,
    to = COUNT,
  ): Promise<readonly RouteFailure[]> {
    const hops = [{ gateway: parseAddress(via), interfaceIndex, onlink: false }];
    const batch = new ChangeBatch(prefixes);
    for (let index = from; index < to; index++) {
      batch.push(kind, idOf(index), { type: 'unicast', hops });
    }
    return new Promise((resolve) => kernel.apply(batch, resolve));
  }

  function removeWays(from: number, to: number): Promise<number> {
    const ids = Int32Array.from({ length: to - from }, (_, index) => idOf(from + index));
    let count = 0;
    return new Promise((resolve) => {
      kernel.removeWays(ids, (gone, isLast) => {
        count += gone.length;
        if (isLast) resolve(count);
      });
    });
  }

  function referring(): number {
    const routes = netlink.routes({ family: 4, table: 254, protocol: 12 });
    return routes.filter(({ nextHopId }) => nextHopId !== undefined).length;
  }

  test('many routes refer to an object, and read back they say the same', async () => {
    assert.deepEqual(await change('add', '10.99.0.9'), []);
    const list = kernel.list();
    assert.equal(list.length, COUNT);
    const read: KernelRoute[] = [];
    assert.ok(
      await new Promise((resolve) =>
        kernel.read(
          (route) => read.push(route),
          () => {},
          resolve,
        ),
      ),
    );
    assert.deepEqual(read, list);
    assert.ok(
      list.every(({ hops }) => hops[0]?.gateway?.value === parseAddress('10.99.0.9').value),
    );
    assert.ok(referring() > COUNT / 2);
    assert.equal(netlink.nextHopObjects().length, 1);
  });

  test('routes change their next hop, one by one', async () => {
    assert.deepEqual(await change('replace', '10.99.0.8', 0, 100), []);
    assert.deepEqual(await change('delete', '10.99.0.8', 0, 100), []);
    assert.equal(kernel.list().length, COUNT - 100);
  });

  test('when all go, their object takes them along; those of others stay', async () => {
    assert.deepEqual(await change('add', '10.99.0.7', 0, 100), []);
    assert.equal(await removeWays(100, COUNT - 1), 0, 'one more refers to it');
    const gone = await removeWays(100, COUNT);
    assert.ok(gone > COUNT / 2);
    assert.equal(kernel.list().length, COUNT - gone);
    await change('delete', '10.99.0.9', 100);
    assert.equal(kernel.list().length, 100);
    assert.deepEqual(netlink.nextHopObjects(), []);
  });

  test('an object that somebody has deleted is done without', async () => {
    assert.deepEqual(await change('add', '10.99.0.6', 200, 2_000), []);
    const [object] = netlink.nextHopObjects();
    await execOk(['ip', '-n', name, 'nexthop', 'delete', 'id', String(object?.id)]);
    assert.ok(kernel.list().length < 1_000);
    assert.deepEqual(await change('add', '10.99.0.6', 2_000, 2_600), []);
    assert.ok(kernel.list().length >= 600 + 100);
  });

  test('objects that somebody removes are news, our own doing is none', async () => {
    const monitor = openMonitor(['nexthop'], {
      netns: `/run/netns/${name}`,
      exceptPort: kernel.portId,
    });
    try {
      assert.deepEqual(await change('add', '10.99.0.5', 4_000, 5_000), []);
      const { length } = kernel.list();
      await execOk(['ip', '-n', name, 'nexthop', 'flush']);
      const events = new KernelEvents(kernel);
      const actions: string[] = [];
      for await (const event of monitor) {
        assert.ok(event.kind === 'nexthop');
        actions.push(event.action);
        const news = events.newsOf(event);
        assert.equal(news?.kind, event.action === 'deleted' ? 'unknown' : undefined);
        if (news !== undefined) break;
      }
      assert.deepEqual(actions, ['new', 'deleted']);
      assert.ok(kernel.list().length < length);
      assert.deepEqual(await change('add', '10.99.0.5', 5_000, 5_100), []);
      assert.deepEqual(netlink.nextHopObjects(), [], 'a few need none');
    } finally {
      monitor.close();
    }
  });

  test('a route of others is not overridden, whatever its metric, and ours comes when it goes', async () => {
    const device = ['dev', 'up0', 'proto', 'kernel', 'metric', '100'];
    await execOk(['ip', '-n', name, 'route', 'add', '17.0.0.0/24', ...device]);
    const table = new RibFiller();
    const others: OtherRoute[] = [];
    const sync = new KernelSync(kernel, table.rib, {
      defer: setImmediate,
      onNextHop: () => {},
      onWay: () => {},
      onRepaired: () => {},
      onSettled: () => {},
    });
    sync.takeInitial(
      kernel.list((route) => others.push(route)),
      others,
    );
    sync.allowRemoval(REMOVE_ANYTHING);
    sync.configure({ pools: [], subnet: SUBNET, ...NOTHING_MORE, ownBlocks: new Set() });
    for (const prefix of ['17.0.0.0/24', '10.99.0.0/24', '17.0.1.0/24']) {
      table.put(path({ prefix, via: '10.99.0.9' }));
    }
    const monitor = openMonitor(['ipv4-route'], {
      netns: `/run/netns/${name}`,
      exceptPort: kernel.portId,
    });
    const news = monitor[Symbol.asyncIterator]();
    const followOne = async (): Promise<void> => {
      // Routes of ours that go with their nexthop object are told of as well.
      let seen: KernelNews | undefined;
      while (seen?.kind !== 'ways') {
        const { value } = await news.next();
        assert.ok(value?.kind === 'route');
        seen = newsOfRoute(value.action, value.route);
      }
      sync.noteOthers(seen);
    };
    const become = (expected: readonly string[]): Promise<unknown> =>
      eventually(
        () => isDeepStrictEqual(shown(), expected),
        60_000,
        () => shown().join(),
      );
    const shown = (): string[] =>
      kernel.list().flatMap(({ prefix }) => {
        const text = formatPrefix(prefix);
        return text.startsWith('17.') || text.startsWith('10.') ? [text] : [];
      });
    try {
      sync.update({ prefixes: table.rib.settle(), isLosing: false });
      await become(['17.0.1.0/24']);
      assert.equal(sync.problems.length, 2);
      await execOk(['ip', '-n', name, 'route', 'delete', '17.0.0.0/24', ...device]);
      await followOne();
      await become(['17.0.0.0/24', '17.0.1.0/24']);
      await execOk(['ip', '-n', name, 'route', 'add', '17.0.1.0/24', ...device]);
      await followOne();
      await become(['17.0.0.0/24']);
      assert.match(await execOk(['ip', '-n', name, 'route']), /17.0.1.0\/24 dev up0 proto kernel/);
    } finally {
      sync.stop();
      monitor.close();
    }
  });

  test('of routes with other metrics exactly those go that are named', async () => {
    await execOk(['ip', '-n', name, 'address', 'add', '2001:db8::1/64', 'dev', 'up0', 'nodad']);
    const routes = [
      ['-4', '18.0.0.0/24', 'via', '10.99.0.9'],
      ['-4', '18.0.0.0/24', 'via', '10.99.0.8', 'metric', '32'],
      ['-4', 'blackhole', '18.0.0.0/24', 'metric', '1024'],
      ['-6', '2001:db8:1::/64', 'via', '2001:db8::9'],
      ['-6', '2001:db8:1::/64', 'via', '2001:db8::8', 'metric', '32'],
    ];
    for (const [family = '', ...route] of routes) {
      await execOk(['ip', '-n', name, family, 'route', 'add', ...route, 'proto', '12']);
    }
    const shown = (): KernelRoute[] =>
      kernel.list().filter(({ prefix }) => /^(18|2001)/.test(formatPrefix(prefix)));
    const strays = shown().filter(({ metric }) => metric !== undefined);
    assert.deepEqual(
      strays.map(({ metric }) => metric),
      [32, 1024, 32],
    );
    kernel.removeStrays(strays);
    assert.deepEqual(shown().map(describeRoute), [
      '18.0.0.0/24 via 10.99.0.9',
      '2001:db8:1::/64 via 2001:db8::9',
    ]);
    await execOk([
      'ip',
      '-n',
      name,
      '-6',
      'route',
      'add',
      ...(routes[4] ?? []).slice(1),
      'proto',
      '12',
    ]);
    const id = prefixes.intern(parsePrefix('2001:db8:1::/64'));
    const batch = new ChangeBatch(prefixes);
    batch.push('delete', id, { type: 'unicast', hops: [] });
    assert.deepEqual(await new Promise((resolve) => kernel.apply(batch, resolve)), []);
    assert.deepEqual(
      shown().map(({ metric }) => metric),
      [undefined, 32],
      'ours is removed',
    );
    kernel.removeStrays(shown());
  });

  test('other addresses of the node are its own', async () => {
    await execOk(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    await execOk(['ip', '-n', name, 'address', 'add', '172.31.0.1/32', 'dev', 'lo']);
    const texts = ['127.0.0.2', '172.31.0.1', '10.99.0.1', '::1', '10.99.0.9', '8.8.8.8'];
    assert.deepEqual(
      texts.map((text) => kernel.isLocal(parseAddress(text))),
      [true, true, true, true, false, false],
    );
  });

  test('a pod that comes and goes is nothing that has to be looked at', async () => {
    const monitor = openMonitor(['link', 'ipv6-address', 'ipv6-route', 'ipv4-route'], {
      netns: `/run/netns/${name}`,
    });
    const ip = (...words: string[]): Promise<string> => execOk(['ip', '-n', name, ...words]);
    try {
      await ip('link', 'add', 'cali1', 'type', 'veth', 'peer', 'name', 'cali2');
      for (const device of ['cali1', 'cali2']) await ip('link', 'set', device, 'up');
      await ip('-6', 'address', 'add', 'fe80::77/64', 'dev', 'cali1', 'nodad');
      await ip('route', 'add', '19.0.0.7/32', 'dev', 'cali1');
      await ip('link', 'delete', 'cali1');
      await ip('route', 'add', 'blackhole', '19.0.0.0/24');
      const events = new KernelEvents(kernel);
      const seen = new Set<string>();
      for await (const event of monitor) {
        const news = events.newsOf(event);
        const isLast = news?.kind === 'ways' && news.to === undefined;
        if (isLast) break;
        if (news !== undefined) seen.add(news.kind === 'ways' ? 'a host' : news.kind);
      }
      assert.deepEqual([...seen].toSorted(), ['a host', 'pod-link-down']);
    } finally {
      monitor.close();
    }
  });

  test('an address behind a link without a carrier is out of reach, one beside it is not', async () => {
    const ip = (...words: string[]): Promise<string> => execOk(['ip', '-n', name, ...words]);
    for (const [device, far, octet] of [
      ['near1', 'far1', 1],
      ['near2', 'far2', 2],
    ] as const) {
      await ip('link', 'add', device, 'type', 'veth', 'peer', 'name', far);
      for (const each of [device, far]) await ip('link', 'set', each, 'up');
      await ip('address', 'add', `10.98.${octet}.1/24`, 'dev', device);
      await ip('address', 'add', `2001:db8:98:${octet}::1/64`, 'dev', device, 'nodad');
    }
    const [first, second] = ['10.98.1.9', '10.98.2.9'];
    await ip('route', 'add', '10.97.1.0/24', 'via', first, 'metric', '77');
    await ip('route', 'add', '10.97.2.0/24', 'nexthop', 'via', first, 'nexthop', 'via', second);
    const sixes = ['2001:db8:98:1::9', '2001:db8:98:2::9'];
    const ways = sixes.flatMap((via) => ['nexthop', 'via', via]);
    await ip('-6', 'route', 'add', '2001:db8:97::/64', ...ways);
    // A device that knows of no carrier.
    await ip('link', 'add', 'vx0', 'type', 'vxlan', 'id', '7', 'dstport', '4789');
    await ip('link', 'set', 'vx0', 'up');
    await ip('address', 'add', '10.96.0.1/24', 'dev', 'vx0');
    const behind = [first, '10.97.1.7', '2001:db8:98:1::9'];
    const beside = [second, '10.97.2.7', '2001:db8:98:2::9', '10.96.0.9'];
    const there = (): string[] =>
      [...behind, ...beside].filter((each) => kernel.resolve(parseAddress(each)) !== undefined);
    const gateways = (to: string): string[] => {
      const resolution = kernel.resolve(parseAddress(to));
      const hops = resolution === undefined ? [] : hopsOf(resolution);
      return hops.flatMap(({ gateway }) => (gateway === undefined ? [] : formatAddress(gateway)));
    };
    const become = (expected: readonly string[]): Promise<unknown> =>
      eventually(
        () => isDeepStrictEqual(there(), expected),
        60_000,
        () => there().join(),
      );
    await become([...behind, ...beside]);
    assert.equal(kernel.resolve(parseAddress('10.97.1.7'))?.metric, 77);
    assert.deepEqual(gateways('10.97.2.7'), [first, second]);
    assert.deepEqual(gateways('2001:db8:97::7'), sixes);
    const monitor = openMonitor(['link'], { netns: `/run/netns/${name}` });
    try {
      await ip('link', 'set', 'far1', 'down');
      const events = new KernelEvents(kernel);
      for await (const event of monitor) {
        if (event.kind !== 'link' || event.link.name !== 'near1' || event.link.running) continue;
        assert.deepEqual(events.newsOf(event), { kind: 'unknown' });
        break;
      }
      await become(beside);
      assert.deepEqual(gateways('10.97.2.7'), [second]);
      assert.deepEqual(gateways('2001:db8:97::7'), sixes.slice(1));
      await ip('link', 'set', 'far1', 'up');
      await become([...behind, ...beside]);
    } finally {
      monitor.close();
    }
  });
});
