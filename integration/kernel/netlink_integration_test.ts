// @calico/netlink against the kernel, compared with what iproute2 reads there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import {
  closeNetnsFd,
  type Link,
  type Netlink,
  openNetlinkIn,
  openNetnsFd,
  type Request,
  type Route,
  type RouteType,
  withNetns,
} from '@calico/netlink';
import { cannotRun, ipJson, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const MAIN = 254;
const isDeno = 'Deno' in globalThis;
const pid = process.pid;

let host = '';
let netlink: Netlink;
let uplink: Link;

describe('netlink against the kernel', { skip: cannotRun, concurrency: false }, () => {
  before(() => {
    host = makeNetns();
    runIn(host, 'ip link set lo up');
    runIn(host, 'ip link add ens33 type veth peer name far');
    runIn(host, 'ip link set ens33 up');
    runIn(host, 'ip link set far up');
    runIn(host, 'ip addr add 192.168.80.102/24 dev ens33');
    runIn(host, 'ip addr add fd00::102/64 dev ens33 nodad');
    netlink = openNetlinkIn(netnsPath(host));
    const found = netlink.linkByName('ens33');
    assert.ok(found);
    uplink = found;
  });

  test('links are those that ip shows', () => {
    add({ kind: 'link-add', link: vxlanLink() });
    const shown = ipJson<IpLink>(host, 'link show');
    assert.deepEqual(
      netlink.links().map((link) => [link.index, link.name, link.mtu, link.kind, link.up]),
      shown.map((link) => [
        link.ifindex,
        link.ifname,
        link.mtu,
        link.linkinfo?.info_kind,
        link.flags.includes('UP'),
      ]),
    );
    const vxlan = netlink.linkByName('vxlan.calico');
    assert.deepEqual(vxlan?.vxlan, vxlanLink().vxlan);
    assert.equal(vxlan?.mac, '66:aa:bb:cc:dd:ee');
    assert.deepEqual(netlink.linkByIndex(vxlan?.index ?? 0), vxlan);
    assert.equal(netlink.linkByName('nope'), undefined);
    assert.equal(netlink.linkByIndex(9999), undefined);
    assert.equal(netlink.linkByName('lo')?.loopback, true);
  });

  test('addresses are those that ip shows', () => {
    const shown = ipJson<IpAddress>(host, 'addr show').flatMap((link) =>
      link.addr_info.map((address) => `${link.ifindex} ${address.local}/${address.prefixlen}`),
    );
    const found = netlink
      .addresses()
      .map(
        ({ interfaceIndex, address, prefixLength }) =>
          `${interfaceIndex} ${formatAddress(address)}/${prefixLength}`,
      );
    assert.deepEqual(found.toSorted(), shown.toSorted());
    const filtered = netlink.addresses({ family: 4, interfaceIndex: uplink.index });
    assert.deepEqual(
      filtered.map(({ address, scope }) => [formatAddress(address), scope]),
      [['192.168.80.102', 'global']],
    );
    assert.deepEqual(netlink.addresses({ interfaceIndex: 9999 }), []);
  });

  test('an address is added once and deleted', () => {
    const address = {
      interfaceIndex: uplink.index,
      address: parseAddress('10.244.58.192'),
      prefixLength: 32,
      scope: 'global',
    } as const;
    add({ kind: 'address', action: 'add', address });
    assert.equal(codeOf({ kind: 'address', action: 'add', address }), 'EEXIST');
    add({ kind: 'address', action: 'replace', address });
    add({ kind: 'address', action: 'delete', address });
    assert.equal(codeOf({ kind: 'address', action: 'delete', address }), 'EADDRNOTAVAIL');
  });

  test('routes of every kind are what ip shows', () => {
    const routes = routesOfEveryKind();
    add(...routes.map((route) => ({ kind: 'route', action: 'add', route }) as const));
    assert.equal(codeOf({ kind: 'route', action: 'add', route: routes[0] as Route }), 'EEXIST');
    add(...routes.map((route) => ({ kind: 'route', action: 'replace', route }) as const));
    const found = netlink.routes({ family: 4, table: MAIN });
    for (const route of routes.filter(({ table }) => table === MAIN)) {
      const same = found.find((other) => routeText(other) === routeText(route));
      assert.deepEqual(same, route);
    }
    for (const family of [4, 6] as const) {
      const shown = ipJson<IpRoute>(host, `-${family} route show table all`)
        .filter(({ type = 'unicast' }) => type !== 'anycast' && type !== 'multicast')
        .map(ipRouteText);
      const all = netlink.routes({ family }).map(routeText);
      assert.deepEqual(all.toSorted(), shown.toSorted());
    }
    add(...routes.map((route) => ({ kind: 'route', action: 'delete', route }) as const));
    assert.equal(codeOf({ kind: 'route', action: 'delete', route: routes[0] as Route }), 'ESRCH');
  });

  test('the kernel says why it refuses a route', () => {
    const route = viaRoute('10.9.0.0/16', '1.2.3.4', { onlink: false });
    assert.deepEqual(netlink.execute([{ kind: 'route', action: 'add', route }]), [
      { index: 0, code: 'ENETUNREACH', message: 'Nexthop has invalid gateway' },
    ]);
  });

  test('routes() filters by table, protocol and device', () => {
    const bird = viaRoute('10.1.0.0/16', '192.168.80.101', { protocol: 12 });
    const felix = viaRoute('10.2.0.0/16', '192.168.80.101', { protocol: 80, table: 1000 });
    add(
      { kind: 'route', action: 'add', route: bird },
      { kind: 'route', action: 'add', route: felix },
    );
    assert.deepEqual(netlink.routes({ family: 4, protocol: 12 }), [bird]);
    assert.deepEqual(netlink.routes({ family: 4, table: 1000 }), [felix]);
    assert.deepEqual(netlink.routes({ family: 4, protocol: 80, interfaceIndex: uplink.index }), [
      felix,
    ]);
    assert.deepEqual(netlink.routes({ family: 4, interfaceIndex: 1, protocol: 12 }), []);
    assert.deepEqual(netlink.routes({ family: 4, table: 4242 }), []);
    assert.deepEqual(netlink.routes({ family: 4, interfaceIndex: 4242 }), []);
    add(
      { kind: 'route', action: 'delete', route: bird },
      { kind: 'route', action: 'delete', route: felix },
    );
  });

  test('routeTo() is the route that the kernel takes', () => {
    const near = netlink.routeTo(parseAddress('192.168.80.7'));
    assert.equal(near?.nextHops[0]?.interfaceIndex, uplink.index);
    assert.equal(near?.table, MAIN);
    assert.equal(near?.source && formatAddress(near.source), '192.168.80.102');
    assert.equal(netlink.routeTo(parseAddress('192.168.80.102'))?.type, 'local');
    assert.equal(netlink.routeTo(parseAddress('8.8.8.8')), undefined);
    assert.equal(
      netlink.routeTo(parseAddress('fd00::7'))?.nextHops[0]?.interfaceIndex,
      uplink.index,
    );
  });

  test('neighbours and forwarding entries are those that ip and bridge show', () => {
    const vxlan = netlink.linkByName('vxlan.calico');
    assert.ok(vxlan);
    const interfaceIndex = vxlan.index;
    const mac = '66:11:22:33:44:55';
    const neighbour = {
      interfaceIndex,
      address: parseAddress('10.244.85.192'),
      mac,
      permanent: true,
    } as const;
    const entry = { interfaceIndex, mac, destination: parseAddress('192.168.80.101') } as const;
    const flood = { ...entry, mac: '00:00:00:00:00:00' };
    const moved = { ...entry, destination: parseAddress('192.168.80.100') };
    add(
      { kind: 'link-set', index: interfaceIndex, changes: { up: true } },
      { kind: 'neighbour', action: 'replace', neighbour },
      { kind: 'fdb', action: 'replace', entry },
      { kind: 'fdb', action: 'replace', entry: moved },
      { kind: 'fdb', action: 'replace', entry: flood },
    );
    assert.deepEqual(netlink.neighbours({ interfaceIndex }), [neighbour]);
    assert.deepEqual(netlink.fdb(interfaceIndex), [flood, moved]);
    assert.match(
      runIn(host, 'bridge fdb show dev vxlan.calico'),
      /66:11:22:33:44:55 dst 192.168.80.100 self permanent/,
    );
    assert.match(
      runIn(host, 'ip neigh show dev vxlan.calico nud permanent'),
      /10.244.85.192 lladdr 66:11:22:33:44:55 PERMANENT/,
    );
    add(
      { kind: 'neighbour', action: 'delete', neighbour },
      { kind: 'fdb', action: 'delete', entry: moved },
    );
    assert.deepEqual(netlink.neighbours({ interfaceIndex }), []);
    assert.deepEqual(netlink.fdb(interfaceIndex), [flood]);
    assert.deepEqual(netlink.fdb(9999), []);
  });

  test('rules are those that ip shows', () => {
    const rules = [
      { family: 4, priority: 100, table: 300, mark: { value: 0x100, mask: 0xff00 } },
      {
        family: 4,
        priority: 101,
        table: 250,
        source: parsePrefix('10.1.0.0/16'),
        destination: parsePrefix('10.2.0.0/16'),
        inputInterface: 'ens33',
        invert: true,
      },
      { family: 6, priority: 102, table: 301, source: parsePrefix('fd00:1::/64') },
    ] as const;
    add(...rules.map((rule) => ({ kind: 'rule', action: 'add', rule }) as const));
    assert.equal(codeOf({ kind: 'rule', action: 'add', rule: rules[0] }), 'EEXIST');
    const ours = [...netlink.rules(4), ...netlink.rules(6)].filter(
      ({ priority }) => priority >= 100 && priority < 110,
    );
    assert.deepEqual(ours, rules);
    for (const family of [4, 6] as const) {
      const shown = ipJson<{ priority: number }>(host, `-${family} rule show`);
      assert.deepEqual(
        netlink.rules(family).map(({ priority }) => priority),
        shown.map(({ priority }) => priority),
      );
    }
    add(...rules.map((rule) => ({ kind: 'rule', action: 'delete', rule }) as const));
    assert.equal(codeOf({ kind: 'rule', action: 'delete', rule: rules[0] }), 'ENOENT');
  });

  test('a veth pair is created with its peer in the namespace of the pod', () => {
    const pod = makeNetns();
    const fd = openNetnsFd(netnsPath(pod));
    add({
      kind: 'link-add',
      link: {
        kind: 'veth',
        name: 'cali918b33f2bbe',
        mac: 'ee:ee:ee:ee:ee:ee',
        mtu: 1480,
        up: true,
        peer: { name: 'eth0', mtu: 1480, mac: '66:00:00:00:00:01', netnsFd: fd },
      },
    });
    closeNetnsFd(fd);
    const inPod = openNetlinkIn(netnsPath(pod));
    const eth0 = inPod.linkByName('eth0');
    const cali = netlink.linkByName('cali918b33f2bbe');
    assert.ok(eth0 && cali);
    assert.deepEqual([eth0.mtu, eth0.mac, eth0.up], [1480, '66:00:00:00:00:01', false]);
    assert.deepEqual([cali.mtu, cali.mac, cali.up], [1480, 'ee:ee:ee:ee:ee:ee', true]);
    configurePod(inPod, eth0.index);
    add(
      {
        kind: 'link-set',
        index: cali.index,
        changes: { ipv4Conf: { proxy_arp: 1, forwarding: 1, rp_filter: 0, route_localnet: 1 } },
      },
      { kind: 'proxy-arp-delay', interfaceIndex: cali.index, delayMs: 0 },
    );
    assert.equal(sysctl('conf/cali918b33f2bbe/proxy_arp'), '1');
    assert.equal(sysctl('conf/cali918b33f2bbe/forwarding'), '1');
    assert.equal(sysctl('conf/cali918b33f2bbe/route_localnet'), '1');
    assert.equal(sysctl('neigh/cali918b33f2bbe/proxy_delay'), '0');
    assert.match(runIn(pod, 'ip route'), /^default via 169.254.1.1 dev eth0/m);
    add({ kind: 'link-delete', index: cali.index });
    assert.equal(inPod.linkByName('eth0'), undefined);
    assert.equal(codeOf({ kind: 'link-delete', index: cali.index }), 'ENODEV');
    inPod.close();
  });

  test('a link is renamed, resized, labelled and taken down', () => {
    runIn(host, 'ip link add old type veth peer name other');
    const index = netlink.linkByName('old')?.index ?? 0;
    add({
      kind: 'link-set',
      index,
      changes: { name: 'new', mtu: 1400, mac: '66:00:00:00:00:02', up: true },
    });
    const found = netlink.linkByIndex(index);
    assert.deepEqual(
      [found?.name, found?.mtu, found?.mac, found?.up],
      ['new', 1400, '66:00:00:00:00:02', true],
    );
    add({ kind: 'link-set', index, changes: { alias: 'calico' } });
    assert.equal(netlink.linkByIndex(index)?.alias, 'calico');
    add({ kind: 'link-set', index, changes: { up: false, alias: '' } });
    assert.equal(netlink.linkByIndex(index)?.up, false);
    assert.equal(netlink.linkByIndex(index)?.alias, undefined);
    add({ kind: 'link-delete', index });
  });

  test('an ipip device is created, or the kernel says that it has none', () => {
    // The one device without addresses that a namespace can have. A kernel that has loaded the module has
    // made it already, under this name.
    const link = { kind: 'ipip', name: 'tunl0', mtu: 1480 } as const;
    const [failure] = netlink.execute([{ kind: 'link-add', link }]);
    if (failure?.code === 'EOPNOTSUPP') assert.equal(failure.message, 'Unknown device type');
    else assert.equal(netlink.linkByName('tunl0')?.kind, 'ipip', failure?.message);
  });

  test('10,000 routes go in and out; the ones refused are named', () => {
    const routes = Array.from({ length: 10_000 }, (_, index) => {
      const address = `10.${100 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}/32`;
      return viaRoute(address, '192.168.80.101', { protocol: 12 });
    });
    routes[7777] = viaRoute('10.50.0.0/16', '1.2.3.4', { onlink: false });
    const started = performance.now();
    const failures = netlink.execute(
      routes.map((route) => ({ kind: 'route', action: 'add', route }) as const),
    );
    const added = performance.now();
    assert.deepEqual(
      failures.map(({ index, code }) => [index, code]),
      [[7777, 'ENETUNREACH']],
    );
    assert.equal(netlink.routes({ family: 4, protocol: 12 }).length, 9999);
    const listed = performance.now();
    const left = netlink.execute(
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

  test('withNetns() comes home, also after a failure, and names what it cannot enter', () => {
    const home = execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' });
    assert.equal(
      withNetns(netnsPath(host), () => netlink.linkByName('ens33')?.index),
      uplink.index,
    );
    assert.throws(
      () =>
        withNetns(netnsPath(host), () => {
          throw new Error('inside');
        }),
      /inside/,
    );
    assert.throws(() => withNetns(netnsPath(host), async () => {}), TypeError);
    assert.throws(() => withNetns('/var/run/netns/missing', () => {}), {
      code: 'ENOENT',
      message: 'Cannot open network namespace "/var/run/netns/missing": it does not exist',
    });
    assert.throws(() => withNetns('/etc/hostname', () => {}), { code: 'EINVAL' });
    assert.equal(execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }), home);
  });
});

if (!isDeno) {
  for (const file of ['netlink_integration_test.ts', 'monitor_integration_test.ts']) {
    test(`the same under Deno: ${file}`, { skip: cannotRun }, () => {
      const path = join(import.meta.dirname, file);
      execFileSync('deno', ['test', '-A', '--no-check', '--quiet', path], { stdio: 'pipe' });
    });
  }
}

function add(...requests: Request[]): void {
  assert.deepEqual(netlink.execute(requests), []);
}

function codeOf(request: Request): string | undefined {
  return netlink.execute([request])[0]?.code;
}

function sysctl(path: string): string {
  return runIn(host, `cat /proc/sys/net/ipv4/${path}`).trim();
}

function ms(from: number, to: number): string {
  return `${(to - from).toFixed(0)} ms`;
}

function vxlanLink() {
  return {
    kind: 'vxlan',
    name: 'vxlan.calico',
    mac: '66:aa:bb:cc:dd:ee',
    mtu: 1450,
    vxlan: {
      vni: 4096,
      port: 4789,
      local: parseAddress('192.168.80.102'),
      parentIndex: uplink.index,
      learning: false,
    },
  } as const;
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
        interfaceIndex: uplink.index,
        ...(options.onlink && { onlink: true }),
      },
    ],
  };
}

function routesOfEveryKind(): Route[] {
  const none: RouteType[] = ['blackhole', 'unreachable', 'prohibit', 'throw'];
  const hop = { interfaceIndex: uplink.index };
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

function configurePod(pod: Netlink, index: number): void {
  const gateway = parseAddress('169.254.1.1');
  const base = { type: 'unicast', table: MAIN, protocol: 3 } as const;
  const failures = pod.execute([
    { kind: 'link-set', index: pod.linkByName('lo')?.index ?? 0, changes: { up: true } },
    { kind: 'link-set', index, changes: { up: true } },
    {
      kind: 'address',
      action: 'add',
      address: {
        interfaceIndex: index,
        address: parseAddress('10.244.58.193'),
        prefixLength: 32,
        scope: 'global',
      },
    },
    {
      kind: 'route',
      action: 'add',
      route: {
        ...base,
        destination: parsePrefix('169.254.1.1/32'),
        scope: 'link',
        nextHops: [{ interfaceIndex: index }],
      },
    },
    {
      kind: 'route',
      action: 'add',
      route: {
        ...base,
        destination: parsePrefix('0.0.0.0/0'),
        scope: 'global',
        nextHops: [{ gateway, interfaceIndex: index }],
      },
    },
    {
      kind: 'neighbour',
      action: 'replace',
      neighbour: {
        interfaceIndex: index,
        address: gateway,
        mac: 'ee:ee:ee:ee:ee:ee',
        permanent: true,
      },
    },
  ]);
  assert.deepEqual(failures, []);
}

type IpLink = {
  ifindex: number;
  ifname: string;
  mtu: number;
  flags: string[];
  linkinfo?: { info_kind?: string };
};
type IpAddress = { ifindex: number; addr_info: { local: string; prefixlen: number }[] };
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
