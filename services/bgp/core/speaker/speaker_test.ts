import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Prefix } from '@calico/ip';
import { path } from '../../testing/paths.ts';
import { AdjRibIn } from '../rib/adj_rib_in.ts';
import { Speaker } from './speaker.ts';

/** The `routes` effects until there is nothing left to do: how many prefixes, and what is said with them. */
function routesOf(speaker: Speaker): { readonly count: number; readonly isLosing: boolean }[] {
  const told = [];
  for (let isMore = true; isMore; ) {
    const effects = speaker.flush();
    isMore = effects.some(({ kind }) => kind === 'continue');
    for (const effect of effects) {
      if (effect.kind !== 'routes') continue;
      told.push({ count: effect.prefixes.length, isLosing: effect.isLosing });
    }
  }
  return told;
}

test('that a loss is over is said also when what went last had not been used', () => {
  const speaker = new Speaker({ isRestarted: false });
  const { rib } = speaker;
  const { source, data } = path();
  const received = new AdjRibIn(rib, source);
  const attributes = rib.attributes.intern(data);
  const refused = -1 - rib.reasons.intern('filter');
  for (let index = 0; index < 3_100; index++) {
    const text: Prefix = { family: 4, value: BigInt(0x0a00_0000 + index * 256), length: 24 };
    const prefix = rib.prefixes.intern(text);
    rib.putRow(prefix, received.source, 0, attributes, index < 100 ? attributes : refused);
    rib.prefixes.release(prefix);
  }
  assert.deepEqual(routesOf(speaker), [{ count: 100, isLosing: false }]);
  received.retainOnly([]);
  assert.deepEqual(routesOf(speaker), [
    { count: 100, isLosing: true },
    { count: 0, isLosing: false },
  ]);
});
