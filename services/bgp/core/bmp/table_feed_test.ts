import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT, decodeMessage, MessageFramer } from '@calico/bgp-wire';
import { type Family, formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { sequence } from '../../testing/paths.ts';
import type { PathData } from '../rib/path.ts';
import { TableFeed } from './table_feed.ts';

test('a route whose attributes fit no message is told as withdrawn', () => {
  const prefix = parsePrefix('10.1.0.0/24');
  const asPath = sequence(...Array.from({ length: 17_000 }, (_, index) => index + 1));
  const data = { attributes: { origin: 0, asPath }, nextHop: parseAddress('192.0.2.9') } as const;
  const [update, ...endsOfRib] = new TableFeed(
    () => [{ pathId: 0, data }],
    () => [prefix],
  ).take();
  // Withdrawn Routes, and no attributes.
  assert.deepEqual([...(update?.subarray(19) ?? [])], [0, 4, 24, 10, 1, 0, 0, 0]);
  assert.equal(endsOfRib.length, 2);
});

function via(address: string): PathData {
  return { attributes: { origin: 0, asPath: sequence(7) }, nextHop: parseAddress(address) };
}

/** What the feed says next: "gone <id>", "<id> <next hop>"; "-" for no identifier. */
function textsOf(feed: TableFeed, addPath: readonly Family[]): string[] {
  return feed.take().flatMap((bytes) => {
    const framer = new MessageFramer();
    framer.push(bytes);
    const frame = framer.next();
    const message =
      frame === undefined ? undefined : decodeMessage(frame, { ...DEFAULT_CONTEXT, addPath });
    if (message?.kind !== 'update') return ['?'];
    return [
      ...message.withdrawn.map(({ pathId }) => `gone ${pathId ?? '-'}`),
      ...message.announced.map(({ pathId }) => {
        const { nextHop } = message.attributes ?? {};
        return `${pathId ?? '-'} ${nextHop === undefined ? '' : formatAddress(nextHop)}`;
      }),
    ];
  });
}

test('of a session with path identifiers all paths are told, by them, and withdrawn by them', () => {
  const prefix = parsePrefix('10.1.0.0/24');
  const [one, two] = [via('192.0.2.1'), via('192.0.2.2')];
  let paths = [
    { pathId: 5, data: one },
    { pathId: 9, data: two },
  ];
  const feed = new TableFeed(
    () => paths,
    () => [prefix],
    [4],
  );
  const texts = (): string[] => textsOf(feed, [4]);
  assert.deepEqual(texts(), ['5 192.0.2.1', '9 192.0.2.2']);
  paths = [{ pathId: 9, data: one }];
  feed.touch(prefix);
  assert.deepEqual(texts(), ['gone 5', '9 192.0.2.1']);
  paths = [];
  feed.touch(prefix);
  assert.deepEqual(texts(), ['gone 9']);
});

test('paths that a peer left when it told several do not take away the one that it tells now', () => {
  const prefix = parsePrefix('10.1.0.0/24');
  const [stale, live] = [via('192.0.2.1'), via('192.0.2.2')];
  let paths = [
    { pathId: 5, data: stale },
    { pathId: 9, data: stale },
  ];
  const feed = new TableFeed(
    () => paths,
    () => [prefix],
  );
  const next = (): string[] => {
    feed.touch(prefix);
    return textsOf(feed, []);
  };
  assert.deepEqual(next(), ['- 192.0.2.1']);
  paths = [...paths, { pathId: 0, data: live }];
  assert.deepEqual(next(), ['- 192.0.2.2']);
  paths = [{ pathId: 0, data: live }];
  assert.deepEqual(next(), []);
  paths = [];
  assert.deepEqual(next(), ['gone -']);
});

test('a table is gone through as it is told, with pauses, and once more when all may have changed', () => {
  const data = via('192.0.2.1');
  const prefixes = Array.from({ length: 700 }, (_, index) =>
    parsePrefix(`10.${index >> 8}.${index & 255}.0/24`),
  );
  let walked = 0;
  let isThere = true;
  const feed = new TableFeed(
    () => (isThere ? [{ pathId: 0, data }] : []),
    function* walk() {
      yield undefined;
      for (const prefix of isThere ? prefixes : []) {
        walked += 1;
        yield prefix;
      }
    },
  );
  assert.equal(walked, 0);
  const takeAll = (): number[] => {
    const counts: number[] = [];
    while (feed.hasWork) counts.push(textsOf(feed, []).length);
    return counts;
  };
  // A pause, a batch, the rest, and what one message per batch of them holds; then End-of-RIB, twice.
  const told = takeAll();
  assert.equal(told[0], 0);
  assert.equal(
    told.reduce((sum, count) => sum + count),
    700,
  );
  assert.ok(told.length >= 3, told.join());
  isThere = false;
  feed.reconsider();
  assert.equal(
    takeAll().reduce((sum, count) => sum + count),
    700,
  );
});
