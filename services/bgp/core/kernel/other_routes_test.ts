import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import { PrefixTable } from '../rib/prefix_table.ts';
import { OtherRoutes } from './other_routes.ts';
import type { OtherRoute } from './types.ts';

const POD = '10.244.58.193/32';

function route(text: string, metric = 0, interfaceIndex?: number): OtherRoute {
  return { prefix: parsePrefix(text), metric, interfaceIndex };
}

function world() {
  const prefixes = new PrefixTable();
  const log: string[] = [];
  const others: OtherRoutes = new OtherRoutes(prefixes, (id) => {
    const text = formatPrefix(prefixes.prefixOf(id));
    log.push(others.has(id) ? `taken ${text}` : `free ${text}`);
  });
  return { prefixes, others, news: () => log.splice(0) };
}

test('a prefix is taken while somebody has a route to it, whatever its metric', () => {
  const { prefixes, others, news } = world();
  others.add(route(POD, 100));
  others.add(route(POD, 1024));
  assert.deepEqual(news(), [`taken ${POD}`]);
  others.remove(route(POD, 100));
  others.remove(route(POD, 7));
  assert.deepEqual(news(), []);
  others.remove(route(POD, 1024));
  others.remove(route(POD, 1024));
  assert.deepEqual([news(), prefixes.size], [[`free ${POD}`], 0]);
});

test('what a whole reading does not meet has gone', () => {
  const { prefixes, others, news } = world();
  others.add(route(POD));
  others.add(route('10.0.0.0/8', 100));
  others.add(route('10.0.0.0/8', 200));
  news();
  others.begin();
  others.visit(route('10.0.0.0/8', 200));
  others.visit(route('172.16.0.0/12'));
  Array.from(others.end(false));
  assert.deepEqual(news(), ['taken 172.16.0.0/12'], 'some may have been left out');
  others.begin();
  others.visit(route('10.0.0.0/8', 200));
  Array.from(others.end(true));
  assert.deepEqual(news(), [`free ${POD}`, 'free 172.16.0.0/12']);
  others.remove(route('10.0.0.0/8', 200));
  assert.deepEqual([news(), prefixes.size], [['free 10.0.0.0/8'], 0]);
});

test('news are newer than what a reading says', () => {
  const { prefixes, others, news } = world();
  others.add(route('10.0.0.0/8'));
  news();
  others.begin();
  others.add(route(POD));
  others.remove(route('10.0.0.0/8'));
  others.visit(route('10.0.0.0/8'));
  Array.from(others.end(true));
  assert.deepEqual(news(), [`taken ${POD}`, 'free 10.0.0.0/8']);
  others.begin();
  Array.from(others.end(true));
  assert.deepEqual([news(), prefixes.size], [[`free ${POD}`], 0]);
});

test('routes go with their interface', () => {
  const { others, news } = world();
  others.add(route(POD, 0, 7));
  others.add(route('10.0.0.0/8', 0, 7));
  others.add(route('10.0.0.0/8', 100, 8));
  news();
  others.removeInterface(7);
  assert.deepEqual(news(), [`free ${POD}`]);
});

test('of several routes with one metric a reading tells which are left', () => {
  const { prefixes, others, news } = world();
  const [first, second] = [route(POD, 100, 2), route(POD, 100, 3)];
  const read = (...routes: OtherRoute[]): void => {
    others.begin();
    for (const each of routes) others.visit(each);
    Array.from(others.end(true));
  };
  others.add(first);
  others.add(second);
  assert.equal(others.remove(first), false, 'by news');
  read(second);
  others.add(first);
  read(first, second);
  assert.equal(others.remove(second), false, 'by a reading');
  others.begin();
  others.visit(first);
  assert.equal(others.remove(first), false, 'the reading has not met all');
  Array.from(others.end(false));
  assert.equal(others.remove(first), false, 'nor will it');
  read(route(POD, 100));
  assert.equal(others.remove(first), false, 'one of several hops');
  read(first);
  assert.deepEqual(news(), [`taken ${POD}`]);
  assert.equal(others.remove(first), true);
  assert.deepEqual([news(), prefixes.size], [[`free ${POD}`], 0]);
});

test('of a prefix that loses a route while the kernel is read, the others stay', () => {
  const { prefixes, others, news } = world();
  const [wired, wireless] = [route('0.0.0.0/0', 100, 2), route('0.0.0.0/0', 600, 3)];
  others.add(wired);
  others.add(wireless);
  news();
  others.begin();
  others.visit(wireless);
  others.remove(wireless);
  others.visit(wired);
  others.visit(wireless);
  Array.from(others.end(true));
  assert.deepEqual(news(), []);
  others.remove(wired);
  assert.deepEqual([news(), prefixes.size], [['free 0.0.0.0/0'], 0]);
});

test('what comes back while the kernel is read stays', () => {
  const { others, news } = world();
  others.add(route(POD, 0, 7));
  others.begin();
  others.remove(route(POD, 0, 7));
  others.add(route(POD, 0, 7));
  Array.from(others.end(true));
  assert.deepEqual(news(), [`taken ${POD}`, `free ${POD}`, `taken ${POD}`]);
});

test('what went with an interface is not taken for new by a reading that began before', () => {
  const { prefixes, others, news } = world();
  others.begin();
  others.removeInterface(7);
  others.visit(route(POD, 0, 7));
  Array.from(others.end(true));
  assert.deepEqual([news(), prefixes.size], [[], 0]);
  others.begin();
  others.visit(route(POD, 0, 7));
  assert.deepEqual(news(), [`taken ${POD}`], 'numbers are used again');
});
