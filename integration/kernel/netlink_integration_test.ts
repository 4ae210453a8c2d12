// @calico/netlink against the kernel, compared with what iproute2 reads there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { closeNetnsFd, type Netlink, openNetlinkIn, openNetnsFd, withNetns } from '@calico/netlink';
import { NetlinkHost } from './netlink_host.ts';
import { cannotRun, ipJson, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const MAIN = 254;
const isDeno = 'Deno' in globalThis;
const pid = process.pid;

let host: NetlinkHost;

describe('netlink against the kernel', { skip: cannotRun, concurrency: false }, () => {
  before(() => {
    host = new NetlinkHost();
  });

  test('links are those that ip shows', () => {
    host.add({ kind: 'link-add', link: vxlanLink() });
    const shown = ipJson<IpLink>(host.namespace, 'link show');
    assert.deepEqual(
      host.netlink.links().map((link) => [link.index, link.name, link.mtu, link.kind, link.up]),
      shown.map((link) => [
        link.ifindex,
        link.ifname,
        link.mtu,
        link.linkinfo?.info_kind,
        link.flags.includes('UP'),
      ]),
    );
    const vxlan = host.netlink.linkByName('vxlan.calico');
    assert.deepEqual(vxlan?.vxlan, vxlanLink().vxlan);
    assert.equal(vxlan?.mac, '66:aa:bb:cc:dd:ee');
    assert.deepEqual(host.netlink.linkByIndex(vxlan?.index ?? 0), vxlan);
    assert.equal(host.netlink.linkByName('nope'), undefined);
    assert.equal(host.netlink.linkByIndex(9999), undefined);
    assert.equal(host.netlink.linkByName('lo')?.loopback, true);
  });

  test('addresses are those that ip shows', () => {
    const shown = ipJson<IpAddress>(host.namespace, 'addr show').flatMap((link) =>
      link.addr_info.map((address) => `${link.ifindex} ${address.local}/${address.prefixlen}`),
    );
    const found = host.netlink
      .addresses()
      .map(
        ({ interfaceIndex, address, prefixLength }) =>
          `${interfaceIndex} ${formatAddress(address)}/${prefixLength}`,
      );
    assert.deepEqual(found.toSorted(), shown.toSorted());
    const filtered = host.netlink.addresses({ family: 4, interfaceIndex: host.uplink.index });
    assert.deepEqual(
      filtered.map(({ address, scope }) => [formatAddress(address), scope]),
      [['192.168.80.102', 'global']],
    );
    assert.deepEqual(host.netlink.addresses({ interfaceIndex: 9999 }), []);
  });

  test('an address is added once and deleted', () => {
    const address = {
      interfaceIndex: host.uplink.index,
      address: parseAddress('10.244.58.192'),
      prefixLength: 32,
      scope: 'global',
    } as const;
    host.add({ kind: 'address', action: 'add', address });
    assert.equal(host.codeOf({ kind: 'address', action: 'add', address }), 'EEXIST');
    host.add({ kind: 'address', action: 'replace', address });
    host.add({ kind: 'address', action: 'delete', address });
    assert.equal(host.codeOf({ kind: 'address', action: 'delete', address }), 'EADDRNOTAVAIL');
  });

  test('neighbours and forwarding entries are those that ip and bridge show', () => {
    const vxlan = host.netlink.linkByName('vxlan.calico');
    assert.ok(vxlan);
    // It would have neighbours of its own: multicast groups that it tells about its link-local address.
    runIn(host.namespace, 'ip link set vxlan.calico addrgenmode none');
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
    host.add(
      { kind: 'link-set', index: interfaceIndex, changes: { up: true } },
      { kind: 'neighbour', action: 'replace', neighbour },
      { kind: 'fdb', action: 'replace', entry },
      { kind: 'fdb', action: 'replace', entry: moved },
      { kind: 'fdb', action: 'replace', entry: flood },
    );
    assert.deepEqual(host.netlink.neighbours({ interfaceIndex }), [neighbour]);
    assert.deepEqual(host.netlink.fdb(interfaceIndex), [flood, moved]);
    assert.match(
      runIn(host.namespace, 'bridge fdb show dev vxlan.calico'),
      /66:11:22:33:44:55 dst 192.168.80.100 self permanent/,
    );
    assert.match(
      runIn(host.namespace, 'ip neigh show dev vxlan.calico nud permanent'),
      /10.244.85.192 lladdr 66:11:22:33:44:55 PERMANENT/,
    );
    host.add(
      { kind: 'neighbour', action: 'delete', neighbour },
      { kind: 'fdb', action: 'delete', entry: moved },
    );
    assert.deepEqual(host.netlink.neighbours({ interfaceIndex }), []);
    assert.deepEqual(host.netlink.fdb(interfaceIndex), [flood]);
    assert.deepEqual(host.netlink.fdb(9999), []);
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
    host.add(...rules.map((rule) => ({ kind: 'rule', action: 'add', rule }) as const));
    assert.equal(host.codeOf({ kind: 'rule', action: 'add', rule: rules[0] }), 'EEXIST');
    const ours = [...host.netlink.rules(4), ...host.netlink.rules(6)].filter(
      ({ priority }) => priority >= 100 && priority < 110,
    );
    assert.deepEqual(ours, rules);
    for (const family of [4, 6] as const) {
      const shown = ipJson<{ priority: number }>(host.namespace, `-${family} rule show`);
      assert.deepEqual(
        host.netlink.rules(family).map(({ priority }) => priority),
        shown.map(({ priority }) => priority),
      );
    }
    host.add(...rules.map((rule) => ({ kind: 'rule', action: 'delete', rule }) as const));
    assert.equal(host.codeOf({ kind: 'rule', action: 'delete', rule: rules[0] }), 'ENOENT');
  });

  test('a veth pair is created with its peer in the namespace of the pod', () => {
    const pod = makeNetns();
    const fd = openNetnsFd(netnsPath(pod));
    host.add({
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
    const cali = host.netlink.linkByName('cali918b33f2bbe');
    assert.ok(eth0 && cali);
    assert.deepEqual([eth0.mtu, eth0.mac, eth0.up], [1480, '66:00:00:00:00:01', false]);
    assert.deepEqual([cali.mtu, cali.mac, cali.up], [1480, 'ee:ee:ee:ee:ee:ee', true]);
    configurePod(inPod, eth0.index);
    host.add(
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
    host.add({ kind: 'link-delete', index: cali.index });
    assert.equal(inPod.linkByName('eth0'), undefined);
    assert.equal(host.codeOf({ kind: 'link-delete', index: cali.index }), 'ENODEV');
    inPod.close();
  });

  test('a link is renamed, resized, labelled and taken down', () => {
    runIn(host.namespace, 'ip link add old type veth peer name other');
    const index = host.netlink.linkByName('old')?.index ?? 0;
    host.add({
      kind: 'link-set',
      index,
      changes: { name: 'new', mtu: 1400, mac: '66:00:00:00:00:02', up: true },
    });
    const found = host.netlink.linkByIndex(index);
    assert.deepEqual(
      [found?.name, found?.mtu, found?.mac, found?.up],
      ['new', 1400, '66:00:00:00:00:02', true],
    );
    host.add({ kind: 'link-set', index, changes: { alias: 'calico' } });
    assert.equal(host.netlink.linkByIndex(index)?.alias, 'calico');
    host.add({ kind: 'link-set', index, changes: { up: false, alias: '' } });
    assert.equal(host.netlink.linkByIndex(index)?.up, false);
    assert.equal(host.netlink.linkByIndex(index)?.alias, undefined);
    host.add({ kind: 'link-delete', index });
  });

  test('an ipip device is created, or the kernel says that it has none', () => {
    // The one device without addresses that a namespace can have. A kernel that has loaded the module has
    // made it already, under this name.
    const link = { kind: 'ipip', name: 'tunl0', mtu: 1480 } as const;
    const [failure] = host.netlink.execute([{ kind: 'link-add', link }]);
    if (failure?.code === 'EOPNOTSUPP') assert.equal(failure.message, 'Unknown device type');
    else assert.equal(host.netlink.linkByName('tunl0')?.kind, 'ipip', failure?.message);
  });

  test('withNetns() comes home, also after a failure, and names what it cannot enter', () => {
    const home = execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' });
    assert.equal(
      withNetns(netnsPath(host.namespace), () => host.netlink.linkByName('ens33')?.index),
      host.uplink.index,
    );
    assert.throws(
      () =>
        withNetns(netnsPath(host.namespace), () => {
          throw new Error('inside');
        }),
      /inside/,
    );
    assert.throws(() => withNetns(netnsPath(host.namespace), async () => {}), TypeError);
    assert.throws(() => withNetns('/var/run/netns/missing', () => {}), {
      code: 'ENOENT',
      message: 'Cannot open network namespace "/var/run/netns/missing": it does not exist',
    });
    assert.throws(() => withNetns('/etc/hostname', () => {}), { code: 'EINVAL' });
    assert.equal(execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }), home);
  });
});

if (!isDeno) {
  for (const name of ['netlink', 'routes', 'monitor']) {
    const file = `${name}_integration_test.ts`;
    test(`the same under Deno: ${file}`, { skip: cannotRun }, () => {
      const path = join(import.meta.dirname, file);
      execFileSync('deno', ['test', '-A', '--no-check', '--quiet', path], { stdio: 'pipe' });
    });
  }
}

function sysctl(path: string): string {
  return runIn(host.namespace, `cat /proc/sys/net/ipv4/${path}`).trim();
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
      parentIndex: host.uplink.index,
      learning: false,
    },
  } as const;
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
