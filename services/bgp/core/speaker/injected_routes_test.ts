import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { path, sequence } from '../../testing/paths.ts';
import { LOCAL, LocRib } from '../rib/loc_rib.ts';
import { type InjectedRoute, InjectedRoutes } from './injected_routes.ts';

const PREFIX = parsePrefix('10.5.0.0/24');

function route(localPreference = 100, prefix = PREFIX, asPath = sequence(1)): InjectedRoute {
  const attributes = { origin: 0, asPath, localPreference } as const;
  return { prefix, data: { attributes, nextHop: parseAddress('192.0.2.9') } };
}

/** Who originates what is used. */
function bestOf(rib: LocRib): unknown {
  rib.settle();
  return rib.get(PREFIX)?.best?.source;
}

test('an own route is used before those of clients, theirs by attributes and then by name', () => {
  for (const clients of [
    ['a', 'b', 'c'],
    ['c', 'b', 'a'],
  ]) {
    const rib = new LocRib();
    const injected = new InjectedRoutes(rib);
    const put = () => rib.put({ ...path({ from: 'local' }), prefix: PREFIX, source: LOCAL });
    if (clients[0] === 'a') put();
    for (const client of clients) {
      const routes = [route(client === 'a' ? 100 : 900)];
      injected.take({ kind: 'inject', client, routes });
      rib.settle();
    }
    if (clients[0] === 'c') put();
    assert.deepEqual(bestOf(rib), { kind: 'local' });
    rib.remove(PREFIX, LOCAL);
    assert.deepEqual(bestOf(rib), { kind: 'local', client: 'b' });
  }
});

test('a route that is not taken is not counted', () => {
  const rib = new LocRib();
  const injected = new InjectedRoutes(rib);
  const long = route(100, PREFIX, sequence(...Array.from({ length: 40_000 }, () => 1)));
  injected.take({ kind: 'inject', client: 'c', routes: [long] });
  assert.equal(injected.countOf('c'), 0);
  assert.equal(rib.prefixes.find(PREFIX), -1);
});

function resultOf<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

test('countWith() counts each prefix once', () => {
  const injected = new InjectedRoutes(new LocRib());
  const other = route(100, parsePrefix('10.6.0.0/24'));
  injected.take({ kind: 'inject', client: 'c', routes: [route()] });
  assert.equal(resultOf(injected.countWith('c', [route(), other, other])), 2);
  assert.equal(resultOf(injected.countWith('d', [route()])), 1);
});
