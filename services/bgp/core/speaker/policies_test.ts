import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocRib } from '../rib/loc_rib.ts';
import type { Peer } from './peer.ts';
import { Policies } from './policies.ts';
import { UpdateGroups } from './update_groups.ts';

/** Of a table of three parts. */
const reconsider = (from: number): number => (from < 2 ? from + 1 : -1);

test('a peer is done when its last routes have been judged, not before, and once', () => {
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
  const filters = { import: { 4: [], 6: [] }, export: { 4: [], 6: [] } };
  const peer = { rejudged: 0, received: { reconsider }, policy: { filters } } as unknown as Peer;
  const done: Peer[] = [];
  const rejudge = (): boolean => policies.rejudge([peer], (each) => done.push(each));
  assert.deepEqual([rejudge(), rejudge(), done], [true, true, []]);
  assert.deepEqual([rejudge(), done], [false, [peer]]);
  assert.deepEqual([rejudge(), done], [false, [peer]]);
});
