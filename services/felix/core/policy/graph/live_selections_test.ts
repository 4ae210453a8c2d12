import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { parseSelector } from '@calico/selector';
import type { LiveElements } from './live_elements.ts';
import { type LiveMember, LiveSelections } from './live_selections.ts';

const SELECTOR = parseSelector("app == 'web'");

function member(...nets: readonly string[]): LiveMember {
  return { labels: { app: 'web' }, prefixes: nets.map((net) => parsePrefix(net)), ports: [] };
}

function watched() {
  const replaced: LiveElements[] = [];
  const selections = new LiveSelections({
    onChange: () => {},
    onResized: () => {},
    isNamed: () => true,
    onReplaced: (before) => replaced.push(before),
  });
  const pod = member('10.65.0.1/32');
  selections.change(undefined, pod);
  const before = selections.addresses(SELECTOR, 4).elements as LiveElements;
  // The first net.
  const set = member('10.66.0.0/16');
  selections.change(undefined, set);
  return { selections, before, replaced, pod, set };
}

test('elements that nobody asked for go with those whose place they took', () => {
  const { selections, before, replaced, set } = watched();
  assert.deepEqual(replaced, [before]);
  selections.release(before);
  // Kept up to date they would have to be replaced again.
  selections.change(set, undefined);
  assert.deepEqual(replaced, [before]);
  assert.deepEqual([...selections.addresses(SELECTOR, 4).elements.keys()], ['10.65.0.1']);
});

test('elements that somebody asked for stay when those go whose place they took', () => {
  const { selections, before, pod } = watched();
  const { elements } = selections.addresses(SELECTOR, 4);
  selections.release(before);
  selections.change(pod, undefined);
  assert.deepEqual([...elements.keys()], ['10.66.0.0/16']);
  assert.equal(selections.addresses(SELECTOR, 4).elements, elements);
});
