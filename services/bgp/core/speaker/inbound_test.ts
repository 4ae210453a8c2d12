import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_CONTEXT,
  encodeMessage,
  HEADER_LENGTH,
  Origin,
  ProtocolError,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { path } from '../../testing/paths.ts';
import type { ImportJudge } from '../policy/import_judge.ts';
import { AdjRibIn } from '../rib/adj_rib_in.ts';
import { LocRib, PATHS_PER_SOURCE } from '../rib/loc_rib.ts';
import type { Negotiated } from '../session/types.ts';
import { Inbound } from './inbound.ts';

const CONTEXT = { ...DEFAULT_CONTEXT, addPath: [4 as const] };
const PREFIX = parsePrefix('10.1.0.0/16');

function update(firstId: number, count: number): Uint8Array {
  const announced = Array.from({ length: count }, (_, index) => ({
    prefix: PREFIX,
    pathId: firstId + index,
  }));
  const nextHop = parseAddress('192.168.80.101');
  const attributes = { origin: Origin.Igp, asPath: [], localPreference: 100, nextHop };
  const message = { kind: 'update', withdrawn: [], announced, attributes, problems: [] } as const;
  return encodeMessage(message, CONTEXT).subarray(HEADER_LENGTH);
}

test('a peer that tells too many paths of a prefix keeps its session, and it is said once', () => {
  const rib = new LocRib();
  const { source } = new AdjRibIn(rib, path().source);
  const letIn = { judge: (_: number, received: number) => received, done: () => undefined };
  const negotiated = { context: CONTEXT, families: [4] } as unknown as Negotiated;
  const inbound = new Inbound(rib, letIn as unknown as ImportJudge, source, negotiated, false);
  assert.deepEqual(inbound.apply(update(1, PATHS_PER_SOURCE)).news, []);
  assert.deepEqual(inbound.apply(update(1_000, 400)).news, [
    { kind: 'path-limit', prefix: '10.1.0.0/16', limit: PATHS_PER_SOURCE },
  ]);
  assert.deepEqual(inbound.apply(update(2_000, 400)).news, []);
  assert.equal(rib.paths.size, PATHS_PER_SOURCE);
});

test('attributes that no prefix asks for are looked at, too', () => {
  const rib = new LocRib();
  const { source } = new AdjRibIn(rib, path().source);
  const judge = { judge: () => 0, done: () => undefined } as unknown as ImportJudge;
  const negotiated = { context: DEFAULT_CONTEXT, families: [4] } as unknown as Negotiated;
  const inbound = new Inbound(rib, judge, source, negotiated, false);
  const withdrawn = [0, 2, 8, 10];
  const unknown = [0x40, 99, 0];
  const unreach = [0x80, 15, 3, 0, 2, 1];
  const otherFamily = [0x80, 14, 8, 0, 1, 128, 0, 0, 24, 10, 1];
  for (const [head, attributes] of [
    [[0, 0], unknown],
    [withdrawn, unknown],
    [
      [0, 0],
      [...unreach, ...unknown],
    ],
    [
      [0, 0],
      [...otherFamily, ...unknown],
    ],
  ] as const) {
    const body = Uint8Array.from([...head, 0, attributes.length, ...attributes]);
    assert.throws(
      () => inbound.apply(body),
      (cause) => cause instanceof ProtocolError && cause.subcode === 2,
    );
  }
  for (const attributes of [[], [0x40, 1, 1, 0], [...unreach, 0x40, 1, 1, 0]]) {
    const body = Uint8Array.from([...withdrawn, 0, attributes.length, ...attributes]);
    assert.deepEqual(inbound.apply(body).news, []);
  }
});

test('a message that resets the session leaves no attributes behind', () => {
  const rib = new LocRib();
  const { source } = new AdjRibIn(rib, path().source);
  let held = 0;
  const judge = { judge: (_: number, id: number) => (held++, id), done: () => (held = 0) };
  const negotiated = { context: CONTEXT, families: [4] } as unknown as Negotiated;
  const inbound = new Inbound(rib, judge as unknown as ImportJudge, source, negotiated, false);
  // The last prefix is cut off.
  const body = update(1, 2).slice(0, -1);
  assert.throws(() => inbound.apply(body), ProtocolError);
  assert.equal(held, 0);
  rib.remove(PREFIX, source, 1);
  assert.equal(rib.attributes.size, 0);
});
