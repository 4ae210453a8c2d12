import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT, decodeMessage, MessageFramer, type Update } from '@calico/bgp-wire';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { AdjRibOut } from './adj_rib_out.ts';
import type { PathData } from './path.ts';

const data = (localPreference: number): PathData => ({
  attributes: { origin: 0, asPath: [], localPreference },
  nextHop: parseAddress('192.168.80.100'),
});

function list(items: Update['announced']): string {
  return items.map(({ prefix }) => formatPrefix(prefix)).join(' ');
}

function read(messages: readonly Uint8Array[]): string[] {
  return messages.map((bytes) => {
    const framer = new MessageFramer();
    framer.push(bytes);
    const frame = framer.next();
    assert.ok(frame);
    const update = decodeMessage(frame, DEFAULT_CONTEXT) as Update;
    return update.withdrawn.length > 0
      ? `- ${list(update.withdrawn)}`
      : `${update.attributes.localPreference} ${list(update.announced)}`;
  });
}

const prefix = (text: string) => parsePrefix(text);

test('take() writes withdrawals first and groups by attributes', () => {
  const out = new AdjRibOut();
  out.set(prefix('10.9.0.0/16'), data(1));
  out.take(10, DEFAULT_CONTEXT);
  const [one, two] = [data(100), data(200)];
  out.set(prefix('10.1.0.0/16'), one);
  out.set(prefix('10.2.0.0/16'), two);
  out.set(prefix('10.3.0.0/16'), one);
  out.set(prefix('10.9.0.0/16'), undefined);
  assert.deepEqual(read(out.take(10, DEFAULT_CONTEXT)), [
    '- 10.9.0.0/16',
    '100 10.1.0.0/16 10.3.0.0/16',
    '200 10.2.0.0/16',
  ]);
  assert.equal(out.size, 3);
});

test('a newer change takes the place of an unsent one', () => {
  const out = new AdjRibOut();
  out.set(prefix('10.1.0.0/16'), data(1));
  out.set(prefix('10.1.0.0/16'), data(2));
  assert.deepEqual(read(out.take(10, DEFAULT_CONTEXT)), ['2 10.1.0.0/16']);
  out.set(prefix('10.1.0.0/16'), undefined);
  out.set(prefix('10.1.0.0/16'), data(2));
  assert.equal(out.hasPending, false, 'what the peer knows already is not told again');
});

test('a withdrawal of what was never told is not sent', () => {
  const out = new AdjRibOut();
  out.set(prefix('10.1.0.0/16'), data(1));
  out.set(prefix('10.1.0.0/16'), undefined);
  assert.deepEqual(out.take(10, DEFAULT_CONTEXT), []);
});

test('take() keeps to its limit and repeat() tells everything again', () => {
  const out = new AdjRibOut();
  const shared = data(1);
  for (let index = 0; index < 10; index++) out.set(prefix(`10.${index}.0.0/16`), shared);
  assert.equal(out.take(4, DEFAULT_CONTEXT).length, 1);
  assert.equal(out.size, 4);
  assert.ok(out.hasPending);
  out.take(100, DEFAULT_CONTEXT);
  assert.ok(!out.hasPending);
  out.repeat(4);
  out.repeat(6);
  assert.equal(read(out.take(100, DEFAULT_CONTEXT))[0]?.split(' ').length, 11);
});
