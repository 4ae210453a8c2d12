import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parseAddress, parsePrefix } from '@calico/ip';
import type { Batch, Netlink, NextHop, Route, RouteDump, RouteFilter } from '@calico/netlink';
import { hopsOf } from '../core/kernel/types.ts';
import { KernelRoutes, newsOfRoute, toKernelRoute } from './kernel_routes.ts';

function route(changes: Partial<Route> = {}): Route {
  return {
    destination: parsePrefix('10.244.85.192/26'),
    type: 'unicast',
    table: 254,
    protocol: 12,
    scope: 'global',
    nextHops: [{ gateway: parseAddress('192.168.80.101'), interfaceIndex: 2 }],
    ...changes,
  };
}

test('toKernelRoute() takes routes of our protocol and table only', () => {
  assert.deepEqual(toKernelRoute(route()), {
    prefix: parsePrefix('10.244.85.192/26'),
    type: 'unicast',
    hops: [{ gateway: parseAddress('192.168.80.101'), interfaceIndex: 2, onlink: false }],
  });
  assert.equal(toKernelRoute(route({ protocol: 80 })), undefined);
  assert.equal(toKernelRoute(route({ table: 100 })), undefined);
  assert.equal(toKernelRoute(route({ type: 'unreachable' })), undefined);
});

test('toKernelRoute() names a metric that is not ours', () => {
  const destination = parsePrefix('2001:db8:1::/64');
  assert.equal(toKernelRoute(route())?.metric, undefined);
  assert.equal(toKernelRoute(route({ metric: 32 }))?.metric, 32);
  assert.equal(toKernelRoute(route({ destination, metric: 1024 }))?.metric, undefined);
  assert.equal(toKernelRoute(route({ destination, metric: 32 }))?.metric, 32);
});

test('toKernelRoute() sees no next hop in a blackhole, whatever the kernel shows there', () => {
  const found = toKernelRoute(route({ type: 'blackhole', nextHops: [{ interfaceIndex: 1 }] }));
  assert.deepEqual(found?.hops, []);
});

test('newsOfRoute() knows what concerns us', () => {
  assert.equal(newsOfRoute('deleted', route())?.kind, 'route');
  const pod = {
    protocol: 3,
    destination: parsePrefix('10.244.58.193/32'),
    nextHops: [{ interfaceIndex: 9 }],
  };
  const to = parseAddress('10.244.58.193');
  assert.deepEqual(
    newsOfRoute('new', route(pod)),
    {
      kind: 'ways',
      to,
      other: { action: 'new', route: { prefix: pod.destination, metric: 0, interfaceIndex: 9 } },
    },
    "a pod's own route",
  );
  assert.deepEqual(newsOfRoute('deleted', route({ protocol: 3, metric: 100 })), {
    kind: 'ways',
    other: {
      action: 'deleted',
      route: { prefix: parsePrefix('10.244.85.192/26'), metric: 100, interfaceIndex: 2 },
    },
  });
  assert.equal(newsOfRoute('new', route({ protocol: 3, table: 100 })), undefined);
});

test('resolve() answers the way to a next hop, or that there is none', () => {
  const answers = new Map<bigint, Route | undefined>([
    [parseAddress('192.168.80.101').value, route({ nextHops: [{ interfaceIndex: 2 }] })],
    [parseAddress('192.168.81.1').value, route()],
    [parseAddress('192.168.82.1').value, route({ metric: 77 })],
    [
      parseAddress('192.168.80.100').value,
      route({ type: 'local', nextHops: [{ interfaceIndex: 1 }] }),
    ],
  ]);
  const netlink = {
    entryFor: ({ value }: { readonly value: bigint }) => answers.get(value),
    routeTo: ({ value }: { readonly value: bigint }) => answers.get(value),
  } as unknown as Netlink;
  const kernel = new KernelRoutes(netlink, { batch: { portId: 7 } as Batch });
  assert.deepEqual(kernel.resolve(parseAddress('192.168.80.101')), {
    gateway: undefined,
    interfaceIndex: 2,
  });
  assert.deepEqual(kernel.resolve(parseAddress('192.168.81.1')), {
    gateway: parseAddress('192.168.80.101'),
    interfaceIndex: 2,
  });
  assert.deepEqual(kernel.resolve(parseAddress('192.168.82.1')), {
    gateway: parseAddress('192.168.80.101'),
    interfaceIndex: 2,
    metric: 77,
  });
  assert.equal(kernel.resolve(parseAddress('192.168.80.100')), undefined);
  assert.equal(kernel.resolve(parseAddress('8.8.8.8')), undefined);
  assert.deepEqual(
    ['192.168.80.100', '192.168.80.101', '8.8.8.8'].map((text) =>
      kernel.isLocal(parseAddress(text)),
    ),
    [true, false, false],
  );
});

/** The gateways by what the entry of the table shows, and what asking for the way itself does. */
function resolved(shown: NextHop[], asked: NextHop[] = []): (Address | undefined)[] | undefined {
  const netlink = {
    entryFor: () => route({ nextHops: shown }),
    routeTo: () => route({ nextHops: asked }),
  } as unknown as Netlink;
  const kernel = new KernelRoutes(netlink, { batch: { portId: 7 } as Batch });
  const resolution = kernel.resolve(parseAddress('10.9.0.5'));
  return resolution && hopsOf(resolution).map(({ gateway }) => gateway);
}

test('resolve() passes next hops by that have no carrier, and asks for those that are not shown', () => {
  const gateways = ['192.168.80.101', '192.168.80.102'].map((text) => parseAddress(text));
  const hops = gateways.map((gateway) => ({ gateway, interfaceIndex: 2 }));
  const down = hops.map((hop) => ({ ...hop, down: true }));
  assert.deepEqual(resolved(hops), gateways);
  assert.deepEqual(resolved([...down.slice(0, 1), ...hops.slice(1)]), gateways.slice(1));
  assert.equal(resolved(down), undefined);
  assert.equal(resolved(down, hops), undefined);
  assert.deepEqual(resolved([], hops), gateways);
  assert.equal(resolved([]), undefined);
});

test('matchedLength() is that of the route of the table, however it leads there', () => {
  const entries = new Map([[parseAddress('8.8.8.8').value, parsePrefix('0.0.0.0/0')]]);
  const netlink = {
    entryFor: ({ value }: { readonly value: bigint }) => {
      const destination = entries.get(value);
      return destination && route({ destination });
    },
  } as unknown as Netlink;
  const kernel = new KernelRoutes(netlink, { batch: { portId: 7 } as Batch });
  assert.equal(kernel.matchedLength(parseAddress('8.8.8.8')), 0);
  assert.equal(kernel.matchedLength(parseAddress('8.8.4.4')), undefined);
});

test('read() reads both families, and says when a piece is missing', async () => {
  for (const [lastState, isWhole] of [
    ['done', true],
    ['interrupted', false],
  ] as const) {
    const families: number[] = [];
    const openDump = (filter: RouteFilter): RouteDump => {
      families.push(filter.family);
      let left = 3;
      return {
        next: (visit) => {
          left -= 1;
          if (left > 0) visit(route(left === 1 ? { type: 'unreachable' } : {}));
          if (left === 1) visit(route({ protocol: 80, metric: 100 }));
          return left > 0 ? 'more' : lastState;
        },
        close: () => {},
      };
    };
    const kernel = new KernelRoutes({} as Netlink, { batch: { portId: 7 } as Batch, openDump });
    const seen: unknown[] = [];
    const others: unknown[] = [];
    const outcome = await new Promise((resolve) =>
      kernel.read(
        (each) => seen.push(each),
        (each) => others.push(each),
        resolve,
      ),
    );
    assert.deepEqual([outcome, families, seen.length], [isWhole, [4, 6], 2]);
    const prefix = parsePrefix('10.244.85.192/26');
    const other = { prefix, metric: 100, interfaceIndex: 2 };
    assert.deepEqual(others, [other, other]);
  }
});
