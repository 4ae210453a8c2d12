import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { sequence } from '../../testing/paths.ts';
import { TableFeed } from './table_feed.ts';

test('a route whose attributes fit no message is told as withdrawn', () => {
  const prefix = parsePrefix('10.1.0.0/24');
  const asPath = sequence(...Array.from({ length: 17_000 }, (_, index) => index + 1));
  const data = { attributes: { origin: 0, asPath }, nextHop: parseAddress('192.0.2.9') } as const;
  const [update, ...endsOfRib] = new TableFeed(() => data, [prefix]).take();
  // Withdrawn Routes, and no attributes.
  assert.deepEqual([...(update?.subarray(19) ?? [])], [0, 4, 24, 10, 1, 0, 0, 0]);
  assert.equal(endsOfRib.length, 2);
});
