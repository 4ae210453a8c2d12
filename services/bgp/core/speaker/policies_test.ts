import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path } from '../../testing/paths.ts';
import { AdjRibIn } from '../rib/adj_rib_in.ts';
import { LocRib } from '../rib/loc_rib.ts';
import type { Peer } from './peer.ts';
import { Policies } from './policies.ts';
import { UpdateGroups } from './update_groups.ts';

/** Of a table of three parts. */
const reconsider = (from: number): number => (from < 2 ? from + 1 : -1);

function fixture() {
  const rib = new LocRib();
  const policies = new Policies(rib, new UpdateGroups(rib, new Map()), () => undefined);
  policies.make({
    asn: 64512,
    routerId: 1,
    address: { 4: undefined, 6: undefined },
    subnet: { 4: undefined, 6: undefined },
    clusterId: undefined,
    pools: [],
    advertisements: [],
    serviceRanges: [],
  });
  return { rib, policies };
}

test('a peer is done when its last routes have been judged, not before, and once', () => {
  const { policies } = fixture();
  const filters = { import: { 4: [], 6: [] }, export: { 4: [], 6: [] } };
  const peer = { rejudged: 0, received: { reconsider }, policy: { filters } } as unknown as Peer;
  const done: Peer[] = [];
  const rejudge = (): boolean => policies.rejudge([peer], 1, (each) => done.push(each));
  assert.deepEqual([rejudge(), rejudge(), done], [true, true, []]);
  assert.deepEqual([rejudge(), done], [false, [peer]]);
  assert.deepEqual([rejudge(), done], [false, [peer]]);
});

test('what is judged at a time, or becomes old, is a share of what is decided on, of all peers together', () => {
  const { rib, policies } = fixture();
  const filters = { import: { 4: [], 6: [] }, export: { 4: [], 6: [] } };
  const peers = ['192.168.80.101', '192.168.80.102', '192.168.80.103'].map((from, index) => {
    const received = new AdjRibIn(rib, path({ from }).source);
    for (let at = 0; at < 200; at++) {
      rib.put({ ...path({ prefix: `20.0.${at}.0/24`, from }), source: received.source });
    }
    const work = index === 2 ? { ageing: { families: [4], next: 0 } } : { rejudged: 0 };
    return { ...work, received, policy: { filters } } as unknown as Peer;
  });
  let judged = 0;
  const judge = rib.judge.bind(rib);
  rib.judge = (row, attributes) => {
    judged += 1;
    judge(row, attributes);
  };
  const putRow = rib.putRow.bind(rib);
  rib.putRow = (...row) => {
    judged += 1;
    return putRow(...row);
  };
  const counts: number[] = [];
  for (let isMore = true; isMore; ) {
    judged = 0;
    isMore = policies.rejudge(peers, 400, () => {});
    counts.push(judged);
  }
  assert.deepEqual(counts, [100, 100, 100, 100, 100, 100]);
});
