// Routes through @calico/netlink against the kernel, compared with what iproute2 reads there.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import type { Route, RouteType } from '@calico/netlink';
import { NetlinkHost } from './netlink_host.ts';
import { cannotRun, ipJson } from './netns_fixture.ts';

const MAIN = 254;

let host: NetlinkHost;

describe('routes against the kernel', { skip: cannotRun, concurrency: false }, () => {
  before(() => {
    host = new NetlinkHost();
  });

  test('routes of every kind are what ip shows', () => {
    const routes = routesOfEveryKind();
    host.add(...routes.map((route) => ({ kind: 'route', action: 'add', route }) as const));
    assert.equal(
      host.codeOf({ kind: 'route', action: 'add', route: routes[0] as Route }),
      'EEXIST',
    );
    host.add(...routes.map((route) => ({ kind: 'route', action: 'replace', route }) as const));
    const found = host.netlink.routes({ family: 4, table: MAIN });
    for (const route of routes.filter(({ table }) => table === MAIN)) {
      const same = found.find((other) => routeText(other) === routeText(route));
      assert.deepEqual(same, route);
    }
    for (const family of [4, 6] as const) {
      const shown = ipJson<IpRoute>(host.namespace, `-${family} route show table all`)
        .filter(({ type = 'unicast' }) => type !== 'anycast' && type !== 'multicast')
        .map(ipRouteText);
      const all = host.netlink.routes({ family }).map(routeText);
      assert.deepEqual(all.toSorted(), shown.toSorted());
    }
    host.add(...routes.map((route) => ({ kind: 'route', action: 'delete', route }) as const));
    assert.equal(
      host.codeOf({ kind: 'route', action: 'delete', route: routes[0] as Route }),
      'ESRCH',
    );
  });

  test('the kernel says why it refuses a route', () => {
    const route = viaRoute('10.9.0.0/16', '1.2.3.4', { onlink: false });
    assert.deepEqual(host.netlink.execute([{ kind: 'route', action: 'add', route }]), [
      { index: 0, code: 'ENETUNREACH', message: 'Nexthop has invalid gateway' },
    ]);
  });

  test('routes() filters by table, protocol and device', () => {
    const bird = viaRoute('10.1.0.0/16', '192.168.80.101', { protocol: 12 });
    const felix = viaRoute('10.2.0.0/16', '192.168.80.101', { protocol: 80, table: 1000 });
    host.add(
      { kind: 'route', action: 'add', route: bird },
      { kind: 'route', action: 'add', route: felix },
    );
    assert.deepEqual(host.netlink.routes({ family: 4, protocol: 12 }), [bird]);
    assert.deepEqual(host.netlink.routes({ family: 4, table: 1000 }), [felix]);
    assert.deepEqual(
      host.netlink.routes({ family: 4, protocol: 80, interfaceIndex: host.uplink.index }),
      [felix],
    );
    assert.deepEqual(host.netlink.routes({ family: 4, interfaceIndex: 1, protocol: 12 }), []);
    assert.deepEqual(host.netlink.routes({ family: 4, table: 4242 }), []);
    assert.deepEqual(host.netlink.routes({ family: 4, interfaceIndex: 4242 }), []);
    host.add(
      { kind: 'route', action: 'delete', route: bird },
      { kind: 'route', action: 'delete', route: felix },
    );
  });

  test('routeTo() is the route that the kernel takes', () => {
    const near = host.netlink.routeTo(parseAddress('192.168.80.7'));
    assert.equal(near?.nextHops[0]?.interfaceIndex, host.uplink.index);
    assert.equal(near?.table, MAIN);
    assert.equal(near?.source && formatAddress(near.source), '192.168.80.102');
    assert.equal(host.netlink.routeTo(parseAddress('192.168.80.102'))?.type, 'local');
    assert.equal(host.netlink.routeTo(parseAddress('8.8.8.8')), undefined);
    assert.equal(
      host.netlink.routeTo(parseAddress('fd00::7'))?.nextHops[0]?.interfaceIndex,
      host.uplink.index,
    );
  });

  test('entryFor() is the route of the tables, and nothing where that is a blackhole', () => {
    const entryFor = (address: string): string | undefined => {
      const entry = host.netlink.entryFor(parseAddress(address));
      return entry && `${formatPrefix(entry.destination)} ${entry.nextHops[0]?.interfaceIndex}`;
    };
    const wide = viaRoute('10.0.0.0/8', '192.168.80.101', {});
    const aggregates = ['10.1.0.0/16', 'fd00::/48'].map((prefix) => blackhole(prefix));
    host.add(
      { kind: 'route', action: 'add', route: wide },
      ...aggregates.map((route) => ({ kind: 'route', action: 'add', route }) as const),
    );
    const { index } = host.uplink;
    assert.equal(entryFor('10.2.0.7'), `10.0.0.0/8 ${index}`);
    assert.equal(entryFor('192.168.80.7'), `192.168.80.0/24 ${index}`);
    assert.equal(entryFor('fd00::7'), `fd00::/64 ${index}`);
    for (const hidden of ['10.1.0.7', 'fd00:0:0:9::7']) {
      assert.deepEqual(
        [entryFor(hidden), host.netlink.routeTo(parseAddress(hidden))?.type],
        [undefined, undefined],
      );
    }
    host.add(
      ...[wide, ...aggregates].map(
        (route) => ({ kind: 'route', action: 'delete', route }) as const,
      ),
    );
  });

  test('10,000 routes go in and out; the ones refused are named', () => {
    const routes = Array.from({ length: 10_000 }, (_, index) => {
      const address = `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}/32`;
      return viaRoute(address, '192.168.80.101', { protocol: 12 });
    });
    routes[7777] = viaRoute('10.50.0.0/16', '1.2.3.4', { onlink: false });
    const started = performance.now();
    const failures = host.netlink.execute(
      routes.map((route) => ({ kind: 'route', action: 'add', route }) as const),
    );
    const added = performance.now();
    assert.deepEqual(
      failures.map(({ index, code }) => [index, code]),
      [[7777, 'ENETUNREACH']],
    );
    assert.equal(host.netlink.routes({ family: 4, protocol: 12 }).length, 9999);
    const listed = performance.now();
    const left = host.netlink.execute(
      routes.map((route) => ({ kind: 'route', action: 'delete', route }) as const),
    );
    assert.deepEqual(
      left.map(({ index, code }) => [index, code]),
      [[7777, 'ESRCH']],
    );
    console.log(
      `10,000 routes: add ${ms(started, added)}, list ${ms(added, listed)}, delete ${ms(listed, performance.now())}`,
    );
  });
});

function ms(from: number, to: number): string {
  return `${(to - from).toFixed(0)} ms`;
}

function viaRoute(
  destination: string,
  gateway: string,
  options: { onlink?: boolean; protocol?: number; table?: number },
): Route {
  return {
    destination: parsePrefix(destination),
    type: 'unicast',
    table: options.table ?? MAIN,
    protocol: options.protocol ?? 12,
    scope: 'global',
    nextHops: [
      {
        gateway: parseAddress(gateway),
        interfaceIndex: host.uplink.index,
        ...(options.onlink && { onlink: true }),
      },
    ],
  };
}

function blackhole(destination: string): Route {
  return { ...viaRoute(destination, '0.0.0.0', {}), type: 'blackhole', nextHops: [] };
}

function routesOfEveryKind(): Route[] {
  const none: RouteType[] = ['blackhole', 'unreachable', 'prohibit', 'throw'];
  const hop = { interfaceIndex: host.uplink.index };
  return [
    viaRoute('10.244.85.192/26', '192.168.80.101', {}),
    viaRoute('10.244.235.192/26', '172.16.0.1', { onlink: true }),
    { ...viaRoute('10.20.0.0/16', '192.168.80.101', {}), metric: 512, mtu: 1400 },
    { ...viaRoute('10.21.0.0/16', '192.168.80.101', { table: 1000 }) },
    {
      ...viaRoute('10.22.0.0/16', '192.168.80.101', {}),
      source: parseAddress('192.168.80.102'),
    },
    {
      ...viaRoute('10.23.0.0/16', '192.168.80.101', {}),
      nextHops: [
        { gateway: parseAddress('192.168.80.101'), ...hop, weight: 1 },
        { gateway: parseAddress('192.168.80.103'), ...hop, weight: 3, onlink: true },
      ],
    },
    { ...viaRoute('10.24.0.1/32', '0.0.0.0', {}), scope: 'link', nextHops: [hop] },
    ...none.map((type, index) => ({
      ...viaRoute(`10.30.${index}.0/24`, '0.0.0.0', {}),
      type,
      nextHops: [],
    })),
    { ...viaRoute('0.0.0.0/0', '192.168.80.1', { protocol: 3 }) },
  ];
}

type IpRoute = {
  type?: string;
  dst: string;
  gateway?: string;
  dev?: string;
  table?: string;
  metric?: number;
  prefsrc?: string;
  nexthops?: { gateway: string; weight: number; flags: string[] }[];
  flags?: string[];
};

// One line per route of what both sides know. `ip` leaves the device of IPv6 blackholes to "lo".
function ipRouteText(route: IpRoute): string {
  const family = route.dst.includes(':') || route.gateway?.includes(':') ? 6 : 4;
  const any = family === 4 ? '0.0.0.0/0' : '::/0';
  const destination = route.dst === 'default' ? any : formatPrefix(parsePrefix(route.dst));
  const hops =
    route.nexthops?.map((hop) => `${hop.gateway}*${hop.weight}`) ??
    (route.gateway === undefined ? [] : [route.gateway]);
  return [
    route.type ?? 'unicast',
    destination,
    tableNumber(route.table ?? 'main'),
    route.metric ?? 0,
    route.prefsrc ?? '-',
    ...hops,
  ].join(' ');
}

function routeText(route: Route): string {
  const hops = route.nextHops.flatMap(({ gateway, weight }) =>
    gateway === undefined ? [] : [formatAddress(gateway) + (weight ? `*${weight}` : '')],
  );
  return [
    route.type,
    formatPrefix(route.destination),
    route.table,
    route.metric ?? 0,
    route.source === undefined ? '-' : formatAddress(route.source),
    ...hops,
  ].join(' ');
}

function tableNumber(table: string): number {
  return { main: 254, local: 255, default: 253 }[table] ?? Number(table);
}
