import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Community, formatAsPath } from '@calico/bgp-wire';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { type PathFields, path, RibFiller, sequence } from '../../testing/paths.ts';
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
    while (rib.isUnsettled) this.aggregates.follow(rib.settle());
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
