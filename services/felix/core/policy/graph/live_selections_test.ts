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
  const named = new Set<unknown>();
  const selections = new LiveSelections({
    onChange: () => {},
    onResized: () => {},
    isNamed: (elements) => named.has(elements),
    onReplaced: (before) => replaced.push(before),
  });
  const pod = member('10.65.0.1/32');
  selections.change(undefined, pod);
  const elementsNow = (): LiveElements => {
    const [part] = selections.addresses(SELECTOR, 4).parts;
    return part?.elements as LiveElements;
  };
  const before = elementsNow();
  named.add(before);
  // The first net.
  const set = member('10.66.0.0/16');
  selections.change(undefined, set);
  return { selections, elementsNow, named, before, replaced, pod, set };
}

test('elements that nobody asked for go with those whose place they took', () => {
  const { selections, elementsNow, named, before, replaced, set } = watched();
  assert.deepEqual(replaced, [before]);
  named.delete(before);
  selections.release(before);
  // Kept up to date they would have to be replaced again.
  selections.change(set, undefined);
  assert.deepEqual(replaced, [before]);
  assert.deepEqual([...elementsNow().keys()], ['10.65.0.1']);
});

test('elements that somebody asked for stay when those go whose place they took', () => {
  const { selections, elementsNow, named, before, pod } = watched();
  const elements = elementsNow();
  named.add(elements);
  named.delete(before);
  selections.release(before);
  selections.change(pod, undefined);
  assert.deepEqual([...elements.keys()], ['10.66.0.0/16']);
  assert.equal(elementsNow(), elements);
});
