import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { seededRandom } from '../../testing/simulated_network.ts';
import { type PrefixKey, prefixKey } from '../rib/prefix_key.ts';
import { REMOVE_ANYTHING, type Removal, routeChanges } from './changes.ts';
import type { KernelRoute } from './types.ts';

function unicast(prefix: string, ...gateways: string[]): KernelRoute {
  return {
    prefix: parsePrefix(prefix),
    type: 'unicast',
    hops: gateways.map((gateway) => ({
      gateway: parseAddress(gateway),
      interfaceIndex: 2,
      onlink: false,
    })),
  };
}

function blackhole(prefix: string): KernelRoute {
  return { prefix: parsePrefix(prefix), type: 'blackhole', hops: [] };
}

function table(...routes: KernelRoute[]): Map<PrefixKey, KernelRoute> {
  return new Map(routes.map((route) => [prefixKey(route.prefix), route]));
}

function summary(...parameters: Parameters<typeof routeChanges>): string[] {
  return routeChanges(...parameters).map(
    ({ kind, route }) => `${kind} ${route.type} ${formatPrefix(route.prefix)}`,
  );
}

const A = '192.168.80.101';
const B = '192.168.80.102';

test('routeChanges() adds before it deletes', () => {
  const actual = table(unicast('10.1.0.0/26', A), blackhole('10.2.0.0/26'));
  const wanted = table(blackhole('10.2.0.0/26'), unicast('10.3.0.0/26', A));
  assert.deepEqual(summary(wanted, actual, REMOVE_ANYTHING), [
    'add unicast 10.3.0.0/26',
    'delete unicast 10.1.0.0/26',
  ]);
});

test('routeChanges() holds removals back until the gateway is known completely', () => {
  const removal: Removal = {
    blackholes: false,
    via: ({ value }) => value === parseAddress(A).value,
  };
  const actual = table(
    unicast('10.1.0.0/26', A),
    unicast('10.2.0.0/26', B),
    unicast('10.3.0.0/26', A, B),
    blackhole('10.4.0.0/26'),
  );
  assert.deepEqual(summary(table(), actual, removal), ['delete unicast 10.1.0.0/26']);
  // What it wants instead may come, as far as no awaited gateway is lost.
  const wanted = table(
    unicast('10.1.0.0/26', B),
    unicast('10.2.0.0/26', A),
    unicast('10.3.0.0/26', B),
    unicast('10.4.0.0/26', A),
  );
  assert.deepEqual(summary(wanted, actual, removal), [
    'replace unicast 10.1.0.0/26',
    'replace unicast 10.3.0.0/26',
    'replace unicast 10.4.0.0/26',
  ]);
});

test('from any state to any state, and then nothing more is to be done', () => {
  const random = seededRandom(11);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const anyTable = (): Map<PrefixKey, KernelRoute> => {
    const routes = Array.from({ length: Math.floor(random() * 12) }, () => {
      const prefix = `10.${Math.floor(random() * 8)}.0.0/26`;
      return pick([
        blackhole(prefix),
        unicast(prefix, A),
        unicast(prefix, B),
        unicast(prefix, A, B),
      ]);
    });
    return table(...routes);
  };
  for (let round = 0; round < 500; round++) {
    const kernel = new FakeKernel();
    for (const route of anyTable().values()) kernel.routes.set(formatPrefix(route.prefix), route);
    const wanted = anyTable();
    const actual = table(...kernel.list());
    assert.deepEqual(kernel.apply(routeChanges(wanted, actual, REMOVE_ANYTHING)), []);
    assert.deepEqual(routeChanges(wanted, table(...kernel.list()), REMOVE_ANYTHING), []);
    assert.deepEqual(table(...kernel.list()).size, wanted.size);
  }
});
