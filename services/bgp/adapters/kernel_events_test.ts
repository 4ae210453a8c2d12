import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import type { Link, MonitorEvent } from '@calico/netlink';
import { KernelEvents } from './kernel_events.ts';

const UPLINK = 2;
const POD = 9;

function link(name: string, index: number, changes: Partial<Link> = {}): Link {
  return {
    index,
    name,
    kind: 'veth',
    mac: undefined,
    mtu: 1_500,
    up: true,
    running: true,
    loopback: false,
    linkIndex: undefined,
    vxlan: undefined,
    ...changes,
  };
}

function address(interfaceIndex: number): MonitorEvent {
  const found = { interfaceIndex, address: parseAddress('fe80::1'), prefixLength: 64 } as const;
  return { kind: 'address', action: 'new', address: { ...found, scope: 'link' } };
}

function route(destination: string, interfaceIndex: number): MonitorEvent {
  return {
    kind: 'route',
    action: 'new',
    route: {
      destination: parsePrefix(destination),
      type: 'unicast',
      table: 254,
      protocol: 3,
      scope: 'link',
      nextHops: [{ interfaceIndex }],
    },
  };
}

test("what happens on a pod's interface is no reason to look at everything", () => {
  const events = new KernelEvents({ objectChanged: () => false });
  const seen = [
    { kind: 'link', action: 'new', link: link('cali7', POD) } as const,
    address(POD),
    route('fe80::/64', POD),
    { kind: 'link', action: 'new', link: link('cali7', POD, { running: false }) } as const,
  ].map((event) => events.newsOf(event));
  assert.deepEqual(seen, [undefined, undefined, undefined, undefined]);
  const pod = events.newsOf(route('10.244.58.193/32', POD));
  assert.ok(pod?.kind === 'ways');
  assert.deepEqual(pod.to, parseAddress('10.244.58.193'));
  assert.equal(pod.other?.route.interfaceIndex, POD);
});

test("routes go with a pod's interface", () => {
  const events = new KernelEvents({ objectChanged: () => false });
  const down = { kind: 'pod-link-down', interfaceIndex: POD };
  const isDown = link('cali7', POD, { up: false });
  assert.deepEqual(events.newsOf({ kind: 'link', action: 'new', link: isDown }), down);
  assert.equal(events.newsOf(address(POD)), undefined);
  assert.deepEqual(events.newsOf({ kind: 'link', action: 'deleted', link: isDown }), down);
  assert.deepEqual(events.newsOf(address(POD)), { kind: 'unknown' }, 'another one has the number');
});

test('everything else may change ways and routes', () => {
  const events = new KernelEvents({ objectChanged: () => false });
  const unknown = { kind: 'unknown' };
  for (const action of ['new', 'deleted'] as const) {
    assert.deepEqual(events.newsOf({ kind: 'link', action, link: link('eth0', UPLINK) }), unknown);
  }
  assert.deepEqual(events.newsOf(address(UPLINK)), unknown);
  assert.deepEqual(events.newsOf({ kind: 'overrun' }), unknown);
  assert.equal(events.newsOf(route('10.0.0.0/8', UPLINK))?.kind, 'ways');
});

test('nexthop objects of ours that somebody deletes take routes along', () => {
  const asked: number[] = [];
  const events = new KernelEvents({
    objectChanged: (action, { id }) => {
      asked.push(id);
      return action === 'deleted';
    },
  });
  const nextHop = { id: 5, family: 4, protocol: 12, interfaceIndex: UPLINK } as const;
  const seen = (['new', 'deleted'] as const).map((action) =>
    events.newsOf({ kind: 'nexthop', action, nextHop }),
  );
  assert.deepEqual(
    [seen, asked],
    [
      [undefined, { kind: 'unknown' }],
      [5, 5],
    ],
  );
});
