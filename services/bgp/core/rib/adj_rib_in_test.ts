import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { path } from '../../testing/paths.ts';
import { seededRandom } from '../../testing/simulated_network.ts';
import { AdjRibIn } from './adj_rib_in.ts';
import { LocRib } from './loc_rib.ts';

const PREFIXES = Array.from({ length: 4_000 }, (_, at) => ({
  family: at % 3 === 0 ? 6 : 4,
  prefix: parsePrefix(
    at % 3 === 0 ? `fd00:${at.toString(16)}::/64` : `10.${at >> 8}.${at & 255}.0/24`,
  ),
}));

test('whatever is told, marked and swept in between, what was not renewed goes, and nothing else', () => {
  const rib = new LocRib();
  const { source, data } = path();
  const [own, other] = [new AdjRibIn(rib, source), new AdjRibIn(rib, source)];
  const random = seededRandom(7);
  const below = (limit: number): number => Math.floor(random() * limit);
  /** Whether a route that is there is stale. */
  const expected = new Map<number, boolean>();
  for (let step = 0; step < 400; step++) {
    const family = below(2) === 0 ? 4 : 6;
    const action = below(6);
    // Now and then more than are remembered.
    const count = below(8) === 0 ? 3_000 : below(40);
    for (let each = 0; each < count; each++) {
      const at = below(PREFIXES.length);
      const prefix = PREFIXES[at]?.prefix;
      assert.ok(prefix !== undefined);
      if (action < 2) {
        rib.put({ prefix, data, source: own.source });
        expected.set(at, false);
      } else if (action === 2) {
        rib.remove(prefix, own.source);
        expected.delete(at);
      } else if (action === 3) {
        rib.put({ prefix, data, source: other.source });
      }
    }
    const ofFamily = [...expected].filter(([at]) => PREFIXES[at]?.family === family);
    if (action === 4) {
      own.markStale([family]);
      for (const [at] of ofFamily) expected.set(at, true);
    } else if (action === 5) {
      const gone = ofFamily.filter(([, isStale]) => isStale);
      assert.equal(own.sweep([family]), gone.length);
      for (const [at] of gone) expected.delete(at);
    }
    if (below(3) === 0) rib.settle(below(10_000));
    const stale = [...expected.values()].filter(Boolean).length;
    assert.deepEqual(
      [own.size, own.staleCount, other.staleCount],
      [expected.size, stale, 0],
      `step ${step}`,
    );
  }
});
