import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Community } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { LocRib } from '../rib/loc_rib.ts';
import { coverageOf } from './coverage.ts';
import type { Peer } from './peer.ts';

const NEXT_HOP = parseAddress('192.0.2.1');

class Table {
  readonly rib = new LocRib();
  readonly #sources = new Map<string, number>();

  put(peer: string, prefix: string, communities: readonly number[] = [], nextHop = NEXT_HOP): this {
    const attributes = { origin: 0, asPath: [], communities } as const;
    const data = { attributes, nextHop };
    this.rib.put({ prefix: parsePrefix(prefix), data, source: this.#sourceOf(peer) });
    return this;
  }

  /** "a covered 2", "b" … of those that part, each with the routes that it has from us. */
  coverage(...parting: readonly string[]): string[] {
    const peers = parting.map((key, told) => ({
      config: { key },
      live: {},
      received: { source: this.#sourceOf(key) },
      advertised: { size: told },
    }));
    return Array.from(coverageOf(this.rib, peers as unknown as Peer[]), ([key, found]) => {
      const { isCovered, releasesUs, told } = found;
      return `${key}${isCovered ? ' covered' : ''}${releasesUs ? ' releases' : ''} ${told}`;
    });
  }

  #sourceOf(peer: string): number {
    const known = this.#sources.get(peer);
    if (known !== undefined) return known;
    const address = parseAddress('192.0.2.9');
    const source = { kind: 'peer', peer, address, routerId: 1, isInternal: true, isClient: false };
    const added = this.rib.paths.addSource({ ...source, kind: 'peer' });
    this.#sources.set(peer, added);
    return added;
  }
}

test('coverageOf() takes no parting peer for another way', () => {
  const table = new Table().put('a', '10.1.0.0/16').put('b', '10.1.0.0/16');
  assert.deepEqual(table.coverage('a'), ['a covered 0']);
  assert.deepEqual(table.coverage('a', 'b'), ['a 0', 'b 1']);
  table.put('c', '10.1.0.0/16').put('b', '10.2.0.0/16');
  assert.deepEqual(table.coverage('a', 'b'), ['a covered 0', 'b 1']);
});

test('coverageOf() finds who can do without us: all its routes are marked', () => {
  const marked = [Community.GracefulShutdown];
  const table = new Table().put('a', '10.1.0.0/16', marked).put('a', '10.2.0.0/16');
  assert.deepEqual(table.coverage('a', 'b'), ['a 0', 'b covered 1']);
  table.put('a', '10.2.0.0/16', marked);
  assert.deepEqual(table.coverage('a', 'b'), ['a releases 0', 'b covered 1']);
});

test('a next hop out of reach keeps no session from ending, if it is told another way', () => {
  const table = new Table();
  const { rib } = table;
  const far = parseAddress('192.0.2.66');
  const number = rib.attributes.hops.intern(far);
  rib.attributes.hops.noteTold(number);
  rib.setReachable(far, false);
  table.put('a', '10.0.1.0/24', [Community.GracefulShutdown], far);
  assert.deepEqual(table.coverage('a'), ['a releases 0'], 'it may be reached again');
  table.put('c', '10.0.1.0/24', [], far);
  assert.deepEqual(table.coverage('a'), ['a covered releases 0']);
  table.put('a', '10.0.1.0/24');
  assert.deepEqual(table.coverage('a'), ['a 0'], 'that other way is of no use');
});
