import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import { keyOf } from '@calico/model';
import { endpointSlice, service } from '../../testing/resources.ts';
import { type Random, seededRandom } from '../../testing/simulated_network.ts';
import { ServiceIndex, type ServiceResource } from './service_index.ts';
import type { ServiceRules } from './service_rules.ts';

function rulesFor(changes: Partial<ServiceRules> = {}): ServiceRules {
  return {
    node: 'a',
    isExcluded: false,
    ranges: {
      cluster: [],
      external: [],
      'load balancer': [parsePrefix('192.0.2.0/24'), parsePrefix('192.0.2.200/32')],
    },
    aggregatesLoadBalancers: true,
    localPreference: { 4: 100, 6: 100 },
    ...changes,
  };
}

/** What peers know after all that the index has told. */
class Told {
  readonly addresses = new Map<string, number>();
  readonly index: ServiceIndex;
  /** Most that were told in one step. */
  readonly steps: string[] = [];

  constructor(index = new ServiceIndex()) {
    this.index = index;
  }

  settle(services = Number.POSITIVE_INFINITY): this {
    let left = services;
    const { announced, withdrawn } = this.index.settle(() => left-- > 0);
    for (const { prefix, localPreference } of announced) {
      const text = formatPrefix(prefix);
      assert.notEqual(this.addresses.get(text), localPreference, 'nothing is told twice');
      this.addresses.set(text, localPreference);
      this.steps.push(`+${text}`);
    }
    for (const prefix of withdrawn) {
      assert.ok(this.addresses.delete(formatPrefix(prefix)), 'only what was told is withdrawn');
      this.steps.push(`-${formatPrefix(prefix)}`);
    }
    return this;
  }

  texts(): string[] {
    assert.deepEqual(this.index.announced().toSorted(), [...this.addresses.keys()].toSorted());
    return [...this.addresses.keys()].toSorted();
  }
}

const LOCAL = { externalTrafficPolicy: 'Local' };
const local = (name: string, ...ingress: string[]) =>
  service(name, LOCAL, ingress) as ServiceResource;
const slice = (...args: Parameters<typeof endpointSlice>) =>
  endpointSlice(...args) as ServiceResource;

function told(...resources: ServiceResource[]): Told {
  const answer = new Told();
  answer.index.configure(rulesFor());
  for (const resource of resources) answer.index.put(resource);
  return answer.settle();
}

test('put() and remove(): an address is announced while any slice has a ready endpoint here', () => {
  const found = told(local('web', '192.0.2.1'), slice('one', 'web', ['b']));
  assert.deepEqual(found.texts(), []);
  found.index.put(slice('two', 'web', ['a']));
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32']);
  found.index.put(slice('one', 'web', ['a', 'b']));
  found.index.put(slice('two', 'web', ['!a']));
  assert.equal(found.settle().steps.length, 1, 'nothing is told of what stays');
  found.index.remove(keyOf(slice('one', 'web', [])));
  assert.deepEqual(found.settle().texts(), []);
  found.index.put(slice('two', 'web', ['a']));
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32']);
  found.index.remove(keyOf(local('web')));
  assert.deepEqual(found.settle().texts(), []);
  found.index.put(local('web', '192.0.2.2'));
  assert.deepEqual(found.settle().texts(), ['192.0.2.2/32']);
});

test('a slice that is given to another service leaves the first', () => {
  const found = told(local('web', '192.0.2.1'), local('dns', '192.0.2.2'));
  found.index.put(slice('one', 'web', ['a']));
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32']);
  found.index.put(slice('one', 'dns', ['a']));
  assert.deepEqual(found.settle().texts(), ['192.0.2.2/32']);
  const { kind, ...rest } = slice('one', 'dns', ['a']);
  const { metadata } = rest;
  found.index.put({ ...rest, kind, metadata: { ...metadata, labels: {} } } as ServiceResource);
  assert.deepEqual(found.settle().texts(), []);
});

test('an address that goes from one service to another is not withdrawn in between', () => {
  const found = told(
    local('old', '192.0.2.1'),
    local('new'),
    slice('one', 'old', ['a']),
    slice('two', 'new', ['a']),
  );
  found.index.put(local('old'));
  found.index.put(local('new', '192.0.2.1'));
  found.settle(1).settle();
  assert.deepEqual(found.steps, ['+192.0.2.1/32']);
  found.index.remove(keyOf(local('new')));
  assert.deepEqual(found.settle().texts(), []);
});

test('an address of two services stays until neither wants it', () => {
  const found = told(
    local('one', '192.0.2.1'),
    local('two', '192.0.2.1'),
    slice('s1', 'one', ['a']),
    slice('s2', 'two', ['a']),
  );
  found.index.remove(keyOf(slice('s1', 'one', [])));
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32']);
  found.index.remove(keyOf(slice('s2', 'two', [])));
  assert.deepEqual(found.settle().texts(), []);
});

test('configure() judges all again, and tells another preference', () => {
  const found = told(local('web', '192.0.2.1'), slice('one', 'web', ['a']));
  found.index.configure(rulesFor({ localPreference: { 4: 7, 6: 7 } }));
  found.settle();
  assert.deepEqual([...found.addresses], [['192.0.2.1/32', 7]]);
  found.index.configure(rulesFor({ isExcluded: true }));
  assert.deepEqual(found.settle().texts(), []);
  found.index.configure(rulesFor({ node: 'b' }));
  assert.deepEqual(found.settle().texts(), []);
  found.index.configure(rulesFor());
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32']);
});

test('what is remembered stays until it is forgotten, and beyond that where it is wanted', () => {
  const found = new Told();
  found.index.remember([parsePrefix('192.0.2.1/32'), parsePrefix('192.0.2.2/32')]);
  assert.ok(found.index.isSettled, 'without rules there is nothing to tell');
  found.index.configure(rulesFor());
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32', '192.0.2.2/32']);
  found.index.put(local('web', '192.0.2.1'));
  found.index.put(slice('one', 'web', ['a']));
  found.index.forget();
  assert.equal(found.index.isSettled, false);
  assert.deepEqual(found.settle().texts(), ['192.0.2.1/32']);
  assert.equal(found.steps.length, 3);
  assert.ok(found.index.isSettled);
});

test('explain() says for each service that has the address why it is announced or not', () => {
  const found = told(
    local('web', '192.0.2.1'),
    local('far', '192.0.2.1'),
    slice('one', 'web', ['a']),
  );
  assert.deepEqual(found.index.explain(parsePrefix('192.0.2.1/32')), [
    '192.0.2.1/32, load balancer address of service "default/far", is not announced: externalTrafficPolicy is "Local", and no ready endpoint is on this node',
    '192.0.2.1/32, load balancer address of service "default/web", is announced: a ready endpoint is on this node',
  ]);
  assert.deepEqual(found.index.explain(parsePrefix('192.0.2.9/32')), []);
});

test('settle() tells so many addresses at a time, also when they go', () => {
  const found = new Told();
  found.index.configure(rulesFor());
  const addresses = Array.from({ length: 200 }, (_, n) => `192.0.2.${n}`);
  for (const name of ['one', 'three']) {
    const own = addresses.map((text) => text.replace('192.0.2', `192.0.${name.length}`));
    found.index.put(local(name, ...own));
    found.index.put(slice(`${name}-1`, name, ['a']));
  }
  const ranges = { cluster: [], external: [], 'load balancer': [parsePrefix('192.0.0.0/16')] };
  found.index.configure(rulesFor({ ranges }));
  const sizes: number[] = [];
  const settleAll = () => {
    while (!found.index.isSettled) {
      const before = found.steps.length;
      found.settle();
      sizes.push(found.steps.length - before);
    }
    return found.texts().length;
  };
  assert.equal(settleAll(), 400);
  found.index.configure(rulesFor({ isExcluded: true }));
  assert.equal(settleAll(), 0);
  // Of one service all are told together.
  assert.deepEqual(sizes, [400, 256, 144]);
});

type Step = { readonly put: ServiceResource } | { readonly gone: ServiceResource };

function randomSteps(random: Random, count: number): Step[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const names = ['web', 'dns', 'mail'];
  return Array.from({ length: count }, (): Step => {
    const ingress = [pick(['192.0.2.1', '192.0.2.2', '192.0.2.200', '10.1.1.1'])];
    const spec = { externalTrafficPolicy: pick(['Local', 'Cluster']) };
    const nodes = [pick(['a', 'b', '!a', '!b']), pick(['a', 'b', '!a', '!b'])];
    const resource =
      random() < 0.4
        ? (service(pick(names), spec, ingress) as ServiceResource)
        : slice(pick(['s1', 's2', 's3', 's4']), pick(names), nodes);
    return random() < 0.75 ? { put: resource } : { gone: resource };
  });
}

test('any order of arrivals, judged whenever, gives what the resources at the end give at once', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = seededRandom(seed);
    const last = new Map<string, ServiceResource>();
    const found = new Told();
    const rules = rulesFor({ aggregatesLoadBalancers: seed % 2 === 0 });
    const early = random() < 0.5;
    if (early) found.index.configure(rulesFor());
    for (const step of randomSteps(random, 40)) {
      const resource = 'put' in step ? step.put : step.gone;
      const text = `${resource.kind} ${resource.metadata.name}`;
      if ('put' in step) {
        found.index.put(resource);
        last.set(text, resource);
      } else {
        found.index.remove(keyOf(resource));
        last.delete(text);
      }
      if (random() < 0.5) found.settle(Math.floor(random() * 3));
    }
    found.index.configure(rules);
    while (!found.index.isSettled) found.settle(1);
    const fresh = new Told();
    fresh.index.configure(rules);
    const all = [...last.values()];
    for (const resource of seed % 3 === 0 ? all.toReversed() : all) fresh.index.put(resource);
    assert.deepEqual(found.texts(), fresh.settle().texts(), `seed ${seed}`);
    const known = [...found.index.keys()].map(({ kind, name }) => `${kind} ${name}`);
    assert.deepEqual(known.toSorted(), [...last.keys()].toSorted(), `seed ${seed}`);
  }
});
