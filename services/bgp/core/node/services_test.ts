import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { endpointSlice, service } from '../../testing/resources.ts';
import { servicesIn } from '../cluster/resources.ts';
import type { ServiceRules } from '../services/service_rules.ts';
import { Services } from './services.ts';

const RULES: ServiceRules = {
  node: 'a',
  isExcluded: false,
  ranges: { cluster: [], external: [parsePrefix('203.0.113.0/24')], 'load balancer': [] },
  aggregatesLoadBalancers: true,
  localPreference: { 4: 100, 6: 100 },
};

/** @param looks how often the clock is looked at in a turn of the work */
function fixture(looks = Number.POSITIVE_INFINITY) {
  const turns: (() => void)[] = [];
  const log: string[] = [];
  let time = 0;
  const services = new Services({
    clock: { monotonic: () => (time += 4 / looks) },
    defer: (callback) => turns.push(callback),
    onChanges: ({ announced, withdrawn }) => {
      log.push(...announced.map(({ prefix }) => `+${formatPrefix(prefix)}`));
      log.push(...withdrawn.map((prefix) => `-${formatPrefix(prefix)}`));
    },
    onSettled: () => log.push('settled'),
  });
  const turn = () => turns.splice(0).forEach((callback) => callback());
  return { services, log, turns, turn };
}

const SPEC = { externalTrafficPolicy: 'Local' };
const local = (name: string, address: string): readonly AnyResource[] => [
  service(name, { ...SPEC, externalIPs: [address] }),
  endpointSlice(`${name}-1`, name, ['a']),
];
/** "s<from>" to "s<to - 1>" */
const locals = (from: number, to: number): AnyResource[] =>
  Array.from({ length: to - from }, (_, n) =>
    local(`s${from + n}`, `203.0.113.${from + n}`),
  ).flat();
const news = (all: readonly AnyResource[], isAll = false) => ({ isAll, changes: servicesIn(all) });

test('take() works in turns, and is not settled before peers are told', () => {
  const { services, log, turns, turn } = fixture(4);
  services.configure(RULES);
  turn();
  log.length = 0;
  services.take(news(locals(0, 10)));
  assert.equal(services.isSettled, false);
  let count = 0;
  for (; turns.length > 0; count += 1) {
    assert.ok(!log.includes('settled'));
    turn();
  }
  assert.ok(count > 5, `${count} turns`);
  assert.equal(log.pop(), 'settled');
  assert.equal(log.length, 10);
  assert.equal(services.announced().length, 10);
  assert.ok(services.isSettled);
});

test('take() of all: what is not among them is gone, also what has not been taken in yet', () => {
  const { services, log, turn } = fixture();
  services.configure(RULES);
  services.take(news([...local('one', '203.0.113.1'), ...local('two', '203.0.113.2')]));
  turn();
  assert.deepEqual(log.splice(0), ['+203.0.113.1/32', '+203.0.113.2/32', 'settled']);
  services.take(news(local('three', '203.0.113.3')));
  services.take(news(local('two', '203.0.113.2'), true));
  turn();
  assert.deepEqual(log.splice(0), ['-203.0.113.1/32', 'settled']);
  assert.match(
    services.explain(parseAddress('203.0.113.2')).join(),
    /"default\/two", is announced/,
  );
});

test('take() of all works in turns, and what comes after it is not gone', () => {
  const { services, log, turns, turn } = fixture(4);
  const work = (): number => {
    let count = 0;
    for (; turns.length > 0; count += 1) turn();
    return count;
  };
  services.configure(RULES);
  services.take(news(locals(0, 10)));
  work();
  log.length = 0;
  services.take(news(locals(5, 12), true));
  assert.equal(services.isSettled, false);
  turn();
  services.take(news(locals(20, 21)));
  const count = work();
  assert.ok(count > 14, `${count} turns`);
  const gone = [0, 1, 2, 3, 4].map((n) => `-203.0.113.${n}/32`);
  const come = [10, 11, 20].map((n) => `+203.0.113.${n}/32`);
  assert.equal(log.pop(), 'settled');
  assert.deepEqual(log.toSorted(), [...come, ...gone]);
  services.take(news([], true));
  assert.ok(work() > 5);
  assert.deepEqual(services.announced(), []);
});

test('remember(): the addresses are told at once, and stay until the cluster is known', () => {
  const { services, log, turn } = fixture();
  services.remember(['203.0.113.1/32', '203.0.113.9/32']);
  turn();
  assert.deepEqual(log, []);
  services.configure(RULES);
  services.configure({ ...RULES });
  turn();
  assert.deepEqual(log.splice(0), ['+203.0.113.1/32', '+203.0.113.9/32', 'settled']);
  services.take(news(local('one', '203.0.113.1')));
  turn();
  assert.deepEqual(log.splice(0), ['-203.0.113.9/32', 'settled']);
  services.take(news([], true));
  turn();
  assert.deepEqual(log.splice(0), ['-203.0.113.1/32', 'settled']);
});

test('a cluster without services takes back what is remembered; a stopped node does nothing', () => {
  const { services, log, turn } = fixture();
  services.remember(['203.0.113.1/32']);
  services.configure(RULES);
  turn();
  log.length = 0;
  services.take(news([]));
  turn();
  assert.deepEqual(log.splice(0), ['-203.0.113.1/32', 'settled']);
  services.take(news(local('one', '203.0.113.1')));
  services.stop();
  turn();
  assert.deepEqual(log, []);
});
