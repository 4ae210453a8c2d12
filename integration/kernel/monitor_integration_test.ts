// The monitor of @calico/netlink against the kernel.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import {
  type Monitor,
  type MonitorEvent,
  openMonitor,
  openNetlinkIn,
  type Request,
} from '@calico/netlink';
import { cannotRun, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const ALL = [
  'link',
  'ipv4-address',
  'ipv6-address',
  'ipv4-route',
  'ipv6-route',
  'neighbour',
  'ipv4-rule',
  'ipv6-rule',
] as const;

describe('the monitor against the kernel', { skip: cannotRun, concurrency: false }, () => {
  test('every kind of change is seen', async () => {
    const host = makeNetns();
    const monitor = openMonitor(ALL, { netns: netnsPath(host) });
    const wanted = new Set([
      'new link ens33',
      'new address 10.1.1.1',
      'deleted address 10.1.1.1',
      'new route 10.9.0.0/16',
      'deleted route 10.9.0.0/16',
      'new neighbour 10.1.1.9',
      'deleted neighbour 10.1.1.9',
      'new rule 100',
      'deleted rule 100',
      'deleted link ens33',
    ]);
    const seeing = until(monitor, (event) => {
      wanted.delete(text(event));
      return wanted.size === 0;
    });
    for (const command of [
      'ip link add ens33 type veth peer name far',
      'ip link set ens33 up',
      'ip addr add 10.1.1.1/24 dev ens33',
      'ip route add 10.9.0.0/16 via 10.1.1.2',
      'ip neigh add 10.1.1.9 lladdr 66:00:00:00:00:09 dev ens33',
      'ip rule add pref 100 fwmark 1 lookup 100',
      'ip rule del pref 100',
      'ip neigh del 10.1.1.9 dev ens33',
      'ip route del 10.9.0.0/16',
      'ip addr del 10.1.1.1/24 dev ens33',
      'ip link del ens33',
    ]) {
      runIn(host, command);
    }
    await seeing;
    assert.deepEqual([...wanted], []);
  });

  test('events that the kernel had to drop show as an overrun', async () => {
    const host = makeNetns();
    runIn(host, 'ip link set lo up');
    const monitor = openMonitor(['ipv4-route'], {
      netns: netnsPath(host),
      receiveBufferBytes: 4096,
    });
    const netlink = openNetlinkIn(netnsPath(host));
    let seen = 0;
    const overrun = until(monitor, (event) => {
      if (event.kind === 'route') seen += 1;
      return event.kind === 'overrun';
    });
    const requests: Request[] = Array.from({ length: 2000 }, (_, index) => ({
      kind: 'route',
      action: 'add',
      route: {
        destination: parsePrefix(`10.9.${index >> 8}.${index & 255}/32`),
        type: 'blackhole',
        table: 254,
        protocol: 12,
        scope: 'global',
        nextHops: [],
      },
    }));
    assert.deepEqual(netlink.execute(requests), []);
    await overrun;
    assert.ok(seen < requests.length, `${seen} events fit into 4 KiB`);
    netlink.close();
  });

  test('20,000 events reach a consumer whose buffer is large enough', async () => {
    const host = makeNetns();
    const monitor = openMonitor(['ipv4-route'], {
      netns: netnsPath(host),
      receiveBufferBytes: 64 * 1024 * 1024,
    });
    const netlink = openNetlinkIn(netnsPath(host));
    runIn(host, 'ip link set lo up');
    const requests: Request[] = Array.from({ length: 20_000 }, (_, index) => ({
      kind: 'route',
      action: 'add',
      route: {
        destination: {
          ...parseAddress('10.0.0.0'),
          value: 0x0a000000n + BigInt(index),
          length: 32,
        },
        type: 'blackhole',
        table: 254,
        protocol: 12,
        scope: 'global',
        nextHops: [],
      },
    }));
    let count = 0;
    const seeing = until(monitor, (event) => {
      assert.notEqual(event.kind, 'overrun');
      if (event.kind === 'route' && event.route.protocol === 12) count += 1;
      return count === requests.length;
    });
    assert.deepEqual(netlink.execute(requests), []);
    await seeing;
    assert.equal(count, requests.length);
    netlink.close();
  });

  test('a monitor that is closed while it waits ends at once', async () => {
    const host = makeNetns();
    const monitor = openMonitor(['link'], { netns: netnsPath(host) });
    setTimeout(() => monitor.close(), 20);
    for await (const event of monitor) assert.fail(text(event));
  });
});

async function until(monitor: Monitor, isLast: (event: MonitorEvent) => boolean): Promise<void> {
  const timer = setTimeout(() => monitor.close(), 60_000);
  for await (const event of monitor) if (isLast(event)) break;
  clearTimeout(timer);
}

/** Arguments with which this runtime runs a text. */
const EVALUATE = 'Deno' in globalThis ? ['eval', '--quiet'] : ['--input-type=module', '-e'];

test('an open monitor does not hold up the end of its process', () => {
  const program = `import { openMonitor } from '@calico/netlink';
    void openMonitor(['link'])[Symbol.asyncIterator]().next();
    setTimeout(() => { ENDING }, 200);`;
  for (const ending of ['process.exit(3)', "throw new Error('on purpose')"]) {
    const { status, error } = spawnSync(
      process.execPath,
      [...EVALUATE, program.replace('ENDING', ending)],
      { cwd: import.meta.dirname, timeout: 60_000 },
    );
    assert.equal(error, undefined, ending);
    assert.equal(status, ending.startsWith('throw') ? 1 : 3, ending);
  }
});

function text(event: MonitorEvent): string {
  switch (event.kind) {
    case 'link':
      return `${event.action} link ${event.link.name}`;
    case 'address':
      return `${event.action} address ${formatAddress(event.address.address)}`;
    case 'route':
      return `${event.action} route ${formatPrefix(event.route.destination)}`;
    case 'neighbour':
      return `${event.action} neighbour ${formatAddress(event.neighbour.address)}`;
    case 'fdb':
      return `${event.action} forwarding entry ${event.entry.mac}`;
    case 'rule':
      return `${event.action} rule ${event.rule.priority}`;
    case 'nexthop':
      return `${event.action} nexthop ${event.nextHop.id}`;
    case 'overrun':
      return 'overrun';
    default:
      return event satisfies never;
  }
}
