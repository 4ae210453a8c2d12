import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { TOO_LONG } from '../rib/attribute_table.ts';
import { LocRib } from '../rib/loc_rib.ts';
import { ImportJudge } from './import_judge.ts';
import { ImportPolicy } from './import_policy.ts';
import { NO_FILTERS } from './route_filter.ts';

const EXTERNAL = {
  address: parseAddress('192.0.2.1'),
  isInternal: false,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: 64_512,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
} as const;
const POLICY = new ImportPolicy({
  asn: 64_512,
  routerId: 1,
  address: { 4: undefined, 6: undefined },
  subnet: { 4: undefined, 6: undefined },
  clusterId: undefined,
  pools: [],
  advertisements: [],
  serviceRanges: [],
});

/** From a speaker of two-octet AS numbers that goes (RFC 8326): import policy changes what it told. */
function farewell(segments: number): Uint8Array {
  const length = segments * (2 + 255 * 2);
  const segment = [2, 255, ...Array.from({ length: 255 }, () => [0xfd, 1]).flat()];
  // biome-ignore format: octets of one attribute after another.
  return Uint8Array.from([
    // ORIGIN, AS_PATH, NEXT_HOP and COMMUNITIES.
    0x40, 1, 1, 0, 0x50, 2, length >> 8, length & 0xff,
    ...Array.from({ length: segments }, () => segment).flat(),
    0x40, 3, 4, 192, 0, 2, 1, 0xc0, 8, 4, 0xff, 0xff, 0, 0,
  ]);
}

test('a route is refused when its attributes become too long', () => {
  for (const [segments, isRefused] of [
    [60, false],
    [66, true],
    [120, true],
  ] as const) {
    const rib = new LocRib();
    const bytes = farewell(segments);
    const context = { ...DEFAULT_CONTEXT, fourOctetAs: false, peerKind: 'external' } as const;
    const interned = rib.attributes.internWire(bytes, 0, bytes.length, undefined, context);
    assert.ok(interned.kind === 'set');
    const judge = new ImportJudge(rib, POLICY, EXTERNAL);
    const prefix = rib.prefixes.intern(parsePrefix('10.0.0.0/24'));
    const outcome = judge.judge(prefix, interned.id);
    assert.equal(outcome < 0, isRefused, `${segments}`);
    if (isRefused) assert.equal(rib.reasons.textOf(-1 - outcome), TOO_LONG);
    judge.done();
    rib.attributes.release(interned.id);
    assert.equal(rib.attributes.size, 0);
  }
});
