import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Community, formatAsPath } from '@calico/bgp-wire';
import { formatPrefix, type Prefix, parseAddress, parsePrefix } from '@calico/ip';
import { type PathFields, path, RibFiller, sequence } from '../../testing/paths.ts';
import { seededRandom } from '../../testing/simulated_network.ts';
import { ExportPolicy } from '../policy/export_policy.ts';
import { NO_FILTERS } from '../policy/route_filter.ts';
import type { LocalPolicy, PeerPolicy } from '../policy/types.ts';
import { Aggregates } from './aggregates.ts';

const PLAIN: LocalPolicy = {
  asn: 64512,
  routerId: 0xc0a85064,
  address: { 4: parseAddress('192.168.80.100'), 6: undefined },
  subnet: { 4: parsePrefix('192.168.80.0/24'), 6: undefined },
  clusterId: undefined,
  pools: [{ prefix: parsePrefix('10.244.0.0/16'), isEnabled: true, isExported: true }],
  advertisements: [],
  serviceRanges: [],
};
const WITH: LocalPolicy = { ...PLAIN, aggregates: [parsePrefix('10.244.0.0/16')] };
const INTERNAL: PeerPolicy = {
  address: parseAddress('192.168.80.102'),
  isInternal: true,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: 64512,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
};
const EXTERNAL: PeerPolicy = { ...INTERNAL, isInternal: false };

class Table {
  readonly filler = new RibFiller();
  readonly aggregates = new Aggregates(this.filler.rib);
  #exports = new ExportPolicy(PLAIN);

  configure(local: LocalPolicy): void {
    this.#exports = new ExportPolicy(local);
    this.aggregates.configure(local, this.#exports);
    this.#settle();
  }

  put(fields: PathFields): void {
    this.filler.put(path(fields));
    this.#settle();
  }

  remove(fields: PathFields): void {
    this.filler.remove(path(fields));
    this.#settle();
  }

  /** "prefix [AS path] reason" of what the peer is told. */
  told(peer: PeerPolicy): string[] {
    return [...this.filler.rib.entries()].flatMap(({ prefix, best }) => {
      if (best === undefined) return [];
      const outcome = this.#exports.export(best, '', peer);
      if (outcome.kind === 'rejected') return [];
      const { asPath = [], atomicAggregate } = outcome.data.attributes;
      const mark = atomicAggregate ? ' atomic' : '';
      return `${formatPrefix(prefix)} [${formatAsPath(asPath)}]${mark} ${outcome.reason}`;
    });
  }

  #settle(): void {
    const { rib } = this.filler;
    while (this.aggregates.follow(rib.settle()) || rib.isUnsettled);
    this.aggregates.dropReplaced();
    rib.settle();
  }
}

const OWN = { from: 'local', prefix: '10.244.1.0/26' };
const LEARNED = { prefix: '10.244.2.0/26', isInternal: false, asPath: sequence(65010) };

test('external peers are told the aggregate, internal ones what is inside', () => {
  const table = new Table();
  table.configure(WITH);
  assert.deepEqual(table.told(EXTERNAL), []);
  table.put(OWN);
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512] aggregated here']);
  assert.deepEqual(table.told(INTERNAL), ['10.244.1.0/26 [] originated here']);
  table.put(LEARNED);
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512] atomic aggregated here']);
  table.remove(LEARNED);
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512] aggregated here']);
  table.remove(OWN);
  assert.deepEqual(table.told(EXTERNAL), []);
});

test('what must not leave makes no aggregate', () => {
  const table = new Table();
  table.configure(WITH);
  table.put({ ...LEARNED, communities: [Community.NoExport] });
  assert.deepEqual(table.told(EXTERNAL), []);
  table.configure({ ...WITH, pools: [] });
  table.put(LEARNED);
  assert.deepEqual(table.told(EXTERNAL), []);
});

test('a route of the very prefix is no part of it, and gives way to it', () => {
  const table = new Table();
  table.configure(WITH);
  table.put({ ...LEARNED, prefix: '10.244.0.0/16' });
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512 65010] in an enabled pool']);
  table.put(LEARNED);
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512 65010] aggregated here']);
});

test('the configuration may come after the routes, and go before them', () => {
  const table = new Table();
  table.put(OWN);
  table.put(LEARNED);
  table.configure(WITH);
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512] atomic aggregated here']);
  table.configure(PLAIN);
  assert.deepEqual(table.told(EXTERNAL), [
    '10.244.1.0/26 [64512] originated here',
    '10.244.2.0/26 [64512 65010] in an enabled pool',
  ]);
});

test('communities that fill no message are left out rather than the aggregate', () => {
  const table = new Table();
  table.configure(WITH);
  for (let part = 0; part < 8; part++) {
    const communities = Array.from({ length: 4_000 }, (_, at) => part * 10_000 + at);
    table.put({ from: 'local', prefix: `10.244.${part}.0/26`, communities });
  }
  assert.deepEqual(table.told(EXTERNAL), ['10.244.0.0/16 [64512] aggregated here']);
});

test('while routes come and go, only whether the aggregate is there is told', () => {
  const table = new Table();
  table.configure(WITH);
  const { rib } = table.filler;
  const told = (): string[] => table.told(EXTERNAL).filter((each) => each.includes('/16'));
  for (let part = 0; part < 4; part++) {
    const fields = { ...LEARNED, prefix: `10.244.${part}.0/26`, asPath: sequence(65010, part) };
    table.filler.put(path(fields));
  }
  table.aggregates.follow(rib.settle(2));
  assert.equal(rib.isUnsettled, true);
  assert.deepEqual(told(), []);
  table.aggregates.follow(rib.settle(1));
  // The first parts alone, as long as more is to come: what all say is told once.
  const [first] = told();
  assert.match(first ?? '', /^10\.244\.0\.0\/16 \[64512 65010/);
  while (rib.isUnsettled) table.aggregates.follow(rib.settle(2));
  assert.deepEqual(told(), ['10.244.0.0/16 [64512 65010] atomic aggregated here']);
});

test('a new policy judges bit by bit what is inside, and leaves the aggregate meanwhile', () => {
  const table = new Table();
  table.configure(WITH);
  const { rib } = table.filler;
  for (let part = 0; part < 6_000; part++) {
    const prefix = `10.244.${part >> 5}.${(part & 31) * 8}/29`;
    table.filler.put(path({ ...LEARNED, prefix }));
  }
  while (rib.isUnsettled) table.aggregates.follow(rib.settle());
  assert.deepEqual(table.told(EXTERNAL).length, 1);
  const closed = { ...WITH, pools: [] };
  table.aggregates.configure(closed, new ExportPolicy(closed));
  let calls = 1;
  for (; table.aggregates.follow(rib.settle(), 1_024); calls++) {
    assert.notEqual(rib.get(parsePrefix('10.244.0.0/16'))?.best, undefined);
  }
  assert.ok(calls > 1, `${calls} calls`);
  while (rib.isUnsettled) table.aggregates.follow(rib.settle());
  assert.equal(rib.get(parsePrefix('10.244.0.0/16'))?.best, undefined);
});

test('sets of attributes that nobody has any more are let go', () => {
  const table = new Table();
  table.configure(WITH);
  const { attributes } = table.filler.rib;
  const before = attributes.size;
  for (let round = 0; round < 20; round++) {
    table.put({ ...LEARNED, asPath: sequence(65010, round + 1) });
  }
  table.remove(LEARNED);
  assert.equal(attributes.size, before);
  table.put(LEARNED);
  table.configure(PLAIN);
  table.remove(LEARNED);
  assert.equal(attributes.size, before);
});

test('another list judges bit by bit: what stays says the same meanwhile, what goes waits', () => {
  const table = new Table();
  const [kept, gone, added] = ['10.244.0.0/17', '10.244.192.0/18', '10.244.128.0/18'].map((text) =>
    parsePrefix(text),
  );
  assert.ok(kept && gone && added);
  table.configure({ ...PLAIN, aggregates: [kept, gone] });
  const { rib } = table.filler;
  for (let part = 0; part < 8_192; part++) {
    const prefix = `10.244.${part >> 5}.${(part & 31) * 8}/29`;
    table.filler.put(path({ ...LEARNED, prefix, asPath: sequence(65010, part & 3) }));
  }
  while (rib.isUnsettled) table.aggregates.follow(rib.settle());
  const attributesOf = (prefix: Prefix) => rib.get(prefix)?.best?.data.attributes;
  const before = attributesOf(kept);
  const next = { ...PLAIN, aggregates: [kept, added] };
  table.aggregates.configure(next, new ExportPolicy(next));
  let calls = 0;
  for (; table.aggregates.follow(rib.settle(), 256); calls++) {
    assert.equal(table.aggregates.isStarting, true);
    assert.deepEqual(attributesOf(kept), before);
    assert.ok(attributesOf(gone));
  }
  assert.ok(calls > 10, `${calls} calls`);
  while (rib.isUnsettled) table.aggregates.follow(rib.settle());
  assert.equal(table.aggregates.isStarting, false);
  assert.deepEqual([attributesOf(kept), attributesOf(added)], [before, before]);
  table.aggregates.dropReplaced();
  rib.settle();
  assert.equal(attributesOf(gone), undefined);
});

test('another list is ready while routes go on coming', () => {
  const table = new Table();
  const { rib } = table.filler;
  table.put(LEARNED);
  for (let part = 0; part < 100; part++) {
    table.filler.put(path({ ...LEARNED, prefix: `10.244.${part}.64/26` }));
  }
  table.aggregates.configure(WITH, new ExportPolicy(WITH));
  table.aggregates.follow(rib.settle(1));
  assert.equal(table.aggregates.isStarting, true);
  table.aggregates.follow(rib.settle(1));
  assert.equal(table.aggregates.isStarting, false);
  assert.ok(rib.get(parsePrefix('10.244.0.0/16'))?.best);
  assert.equal(rib.isUnsettled, true);
});

test('whatever came in between, the outcome is that of beginning with what is so in the end', () => {
  const random = seededRandom(7);
  const upTo = (limit: number): number => Math.floor(random() * limit);
  const lists = [[], ['10.244.0.0/16'], ['10.244.0.0/17', '10.244.128.0/17'], ['10.244.64.0/18']];
  const policies = lists.map((list) => ({
    ...PLAIN,
    aggregates: list.map((each) => parsePrefix(each)),
  }));
  for (let round = 0; round < 20; round++) {
    const table = new Table();
    const { rib } = table.filler;
    const held = new Map<string, PathFields>();
    let local: LocalPolicy = PLAIN;
    for (let step = 0; step < 300; step++) {
      const prefix = `10.244.${upTo(256)}.0/26`;
      const fields = { ...LEARNED, prefix, asPath: sequence(65010, upTo(4)) };
      const kind = upTo(20);
      if (kind === 0) {
        local = policies[upTo(policies.length)] ?? PLAIN;
        table.aggregates.configure(local, new ExportPolicy(local));
      } else if (kind < 5) {
        held.delete(prefix);
        table.filler.remove(path(fields));
      } else {
        held.set(prefix, fields);
        table.filler.put(path(fields));
      }
      if (!table.aggregates.follow(rib.settle(upTo(8)), upTo(64)) && upTo(4) === 0) {
        table.aggregates.dropReplaced();
      }
    }
    const fresh = new Table();
    for (const fields of held.values()) fresh.put(fields);
    fresh.configure(local);
    table.configure(local);
    assert.deepEqual(table.told(EXTERNAL).toSorted(), fresh.told(EXTERNAL).toSorted());
  }
});
