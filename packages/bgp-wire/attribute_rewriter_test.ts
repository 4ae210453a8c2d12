import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { prependAs } from './as_path.ts';
import { AttributeDecoder } from './attribute_decoder.ts';
import { encodeAttributes } from './attribute_encoder.ts';
import { AttributeRewriter } from './attribute_rewriter.ts';
import type { PathAttributes } from './attributes.ts';
import { DEFAULT_CONTEXT } from './context.ts';

const BEFORE = parseAddress('10.0.0.1');
const AFTER = parseAddress('10.0.0.2');
const CLUSTER = 0x0a00_0001;
const rewriter = new AttributeRewriter();

const CASES: readonly PathAttributes[] = [
  { origin: 0, asPath: [] },
  { origin: 2, asPath: [{ kind: 'sequence', asns: [1, 70_000] }], multiExitDiscriminator: 7 },
  { origin: 1, asPath: [{ kind: 'set', asns: [5, 6] }], localPreference: 9, communities: [1, 2] },
  {
    origin: 0,
    asPath: [{ kind: 'sequence', asns: Array.from({ length: 80 }, (_, index) => index + 1) }],
    localPreference: 5,
    atomicAggregate: true,
    aggregator: { asn: 1, routerId: 2 },
    originatorId: 3,
    clusterList: [4, 5],
    extendedCommunities: [7n],
    largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
    unknown: [{ flags: 0xc0, type: 99, value: Uint8Array.of(1, 2) }],
  },
  {
    origin: 0,
    asPath: [],
    clusterList: [8],
    unknown: [{ flags: 0xc0, type: 6 + 100, value: new Uint8Array(300) }],
  },
];

const STAYS = 0x4004_fde8_0000_0007n;
const LEAVES = 0x0002_fde8_0000_0007n;

function rewritten(
  attributes: PathAttributes,
  change: Partial<Parameters<AttributeRewriter['rewrite']>[1]>,
): PathAttributes {
  const bytes = encodeAttributes({ ...attributes, nextHop: BEFORE }, DEFAULT_CONTEXT);
  rewriter.rewrite(bytes, {
    nextHop: AFTER,
    prepend: undefined,
    localPreference: 100,
    reflection: undefined,
    ...change,
  });
  const result = rewriter.bytes.slice(0, rewriter.length);
  const decoded = new AttributeDecoder(DEFAULT_CONTEXT).decode(result);
  assert.deepEqual(decoded.problems, []);
  assert.deepEqual(decoded.nextHop, change.nextHop?.family === 6 ? undefined : AFTER);
  const again = { ...decoded.attributes, ...(decoded.nextHop && { nextHop: decoded.nextHop }) };
  assert.deepEqual(encodeAttributes(again, DEFAULT_CONTEXT), result, 'in the order of the types');
  return decoded.attributes;
}

function passed({ unknown, ...attributes }: PathAttributes): PathAttributes {
  if (unknown === undefined) return attributes;
  return { ...attributes, unknown: unknown.map((each) => ({ ...each, flags: 0xe0 })) };
}

test('rewrite() to an external peer', () => {
  for (const attributes of CASES) {
    const {
      localPreference: _preference,
      originatorId: _originator,
      clusterList: _list,
      multiExitDiscriminator: _med,
      ...rest
    } = passed(attributes);
    const expected = { ...rest, asPath: prependAs(attributes.asPath ?? [], [64_512]) };
    assert.deepEqual(rewritten(attributes, { prepend: 64_512 }), expected);
  }
});

test('rewrite() keeps extended communities that are not transitive in the AS (RFC 4360 section 6)', () => {
  for (const [given, left] of [
    [[STAYS, LEAVES, STAYS], [LEAVES]],
    [[STAYS], undefined],
  ] as const) {
    const attributes = { origin: 0, asPath: [], extendedCommunities: given } as const;
    assert.deepEqual(rewritten(attributes, { prepend: 9 }).extendedCommunities, left);
    assert.deepEqual(rewritten(attributes, {}).extendedCommunities, given);
  }
});

test('rewrite() to an internal peer, reflected or not', () => {
  for (const attributes of CASES) {
    const { localPreference = 100, originatorId = 77, clusterList = [] } = attributes;
    const expected = { ...passed(attributes), localPreference };
    assert.deepEqual(rewritten(attributes, {}), expected);
    assert.deepEqual(
      rewritten(attributes, { reflection: { originatorId: 77, clusterId: CLUSTER } }),
      { ...expected, originatorId, clusterList: [CLUSTER, ...clusterList] },
    );
  }
});

test('rewrite() leaves NEXT_HOP out when the next hop is IPv6, and splits full segments', () => {
  const asns = Array.from({ length: 255 }, (_, index) => index + 1);
  const attributes: PathAttributes = { origin: 0, asPath: [{ kind: 'sequence', asns }] };
  const result = rewritten(attributes, { nextHop: parseAddress('fd00::1'), prepend: 9 });
  assert.deepEqual(result.asPath, [
    { kind: 'sequence', asns: [9] },
    { kind: 'sequence', asns },
  ]);
});
