import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { FakeKernel } from '../../testing/fake_kernel.ts';
import { seededRandom } from '../../testing/simulated_network.ts';
import { PrefixTable } from '../rib/prefix_table.ts';
import { ChangeBatch } from './change_batch.ts';
import { changeOf, REMOVE_ANYTHING, type Removal } from './changes.ts';
import { RouteStates } from './route_states.ts';
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

/** By the same gateway, which is another one on each interface. */
function onLink(interfaceIndex: number): KernelRoute {
  const hops = [{ gateway: parseAddress('fe80::1'), interfaceIndex, onlink: true }];
  return { prefix: parsePrefix('10.1.0.0/26'), type: 'unicast', hops };
}

function blackhole(prefix: string): KernelRoute {
  return { prefix: parsePrefix(prefix), type: 'blackhole', hops: [] };
}

function tableOf(...routes: KernelRoute[]): KernelRoute[] {
  return routes;
}

/** A table with these routes in the kernel, and those wanted. */
function statesOf(wanted: readonly KernelRoute[], actual: readonly KernelRoute[]): RouteStates {
  const states = new RouteStates(new PrefixTable());
  for (const route of wanted) states.want(states.prefixes.intern(route.prefix), route);
  for (const route of actual) states.found(states.prefixes.intern(route.prefix), route);
  return states;
}

function changesOf(states: RouteStates, removal: Removal): ChangeBatch {
  const batch = new ChangeBatch(states.prefixes);
  for (let id = 0; id < states.prefixes.limit; id++) {
    const kind = changeOf(states, id, removal);
    const target = kind === 'delete' ? states.actualOf(id) : states.wantedOf(id);
    if (kind !== undefined && target !== undefined) batch.push(kind, id, target);
  }
  return batch;
}

function summary(
  wanted: readonly KernelRoute[],
  actual: readonly KernelRoute[],
  removal: Removal,
): string[] {
  const changes = changesOf(statesOf(wanted, actual), removal);
  return Array.from({ length: changes.count }, (_, index) => {
    const { type, prefix } = changes.routeOf(index);
    return `${changes.kindOf(index)} ${type} ${formatPrefix(prefix)}`;
  }).toSorted();
}

const A = '192.168.80.101';
const B = '192.168.80.102';

test('changeOf() tells what to add and what to delete', () => {
  const actual = tableOf(unicast('10.1.0.0/26', A), blackhole('10.2.0.0/26'));
  const wanted = tableOf(blackhole('10.2.0.0/26'), unicast('10.3.0.0/26', A));
  assert.deepEqual(summary(wanted, actual, REMOVE_ANYTHING), [
    'add unicast 10.3.0.0/26',
    'delete unicast 10.1.0.0/26',
  ]);
});

test('changeOf() holds removals back until the gateway is known completely', () => {
  const removal: Removal = {
    blackholes: false,
    via: ({ value }) => value === parseAddress(A).value,
  };
  const actual = tableOf(
    unicast('10.1.0.0/26', A),
    unicast('10.2.0.0/26', B),
    unicast('10.3.0.0/26', A, B),
    blackhole('10.4.0.0/26'),
  );
  assert.deepEqual(summary([], actual, removal), ['delete unicast 10.1.0.0/26']);
  // What it wants instead may come, as far as no awaited gateway is lost.
  const wanted = tableOf(
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

test('a link-local gateway on another interface is another one', () => {
  const removal: Removal = { blackholes: true, via: (_gateway, index) => index === 4 };
  assert.deepEqual(summary([onLink(4)], tableOf(onLink(3)), removal), []);
  assert.deepEqual(summary([onLink(3)], tableOf(onLink(4)), removal), [
    'replace unicast 10.1.0.0/26',
  ]);
});

test('from any state to any state, and then nothing more is to be done', () => {
  const random = seededRandom(11);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const anyTable = (): KernelRoute[] => {
    const routes = Array.from({ length: Math.floor(random() * 12) }, () => {
      const prefix = `10.${Math.floor(random() * 8)}.0.0/26`;
      return pick([
        blackhole(prefix),
        unicast(prefix, A),
        unicast(prefix, B),
        unicast(prefix, A, B),
      ]);
    });
    return [...new Map(routes.map((route) => [formatPrefix(route.prefix), route])).values()];
  };
  for (let round = 0; round < 500; round++) {
    const kernel = new FakeKernel();
    for (const route of anyTable()) kernel.routes.set(formatPrefix(route.prefix), route);
    const wanted = anyTable();
    const changes = changesOf(statesOf(wanted, kernel.list()), REMOVE_ANYTHING);
    kernel.apply(changes, (failures) => assert.deepEqual(failures, []));
    assert.deepEqual(summary(wanted, kernel.list(), REMOVE_ANYTHING), []);
    assert.equal(kernel.list().length, wanted.length);
  }
});
