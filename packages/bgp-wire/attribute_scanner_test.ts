import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { asPathContains, asPathLength, hasMembers, hasSets, neighbourAs } from './as_path.ts';
import { AttributeDecoder } from './attribute_decoder.ts';
import { encodeAttributes } from './attribute_encoder.ts';
import { AttributeScanner, hasAs } from './attribute_scanner.ts';
import type { PathAttributes } from './attributes.ts';
import { DEFAULT_CONTEXT, type WireContext } from './context.ts';
import { Community } from './iana.ts';
import { address, anyMessage, seededRandom } from './testing.ts';

const scanner = new AttributeScanner();
const EXTERNAL: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };

const ORDINARY: PathAttributes = {
  origin: 2,
  asPath: [{ kind: 'sequence', asns: [4_200_000_000, 7] }],
  nextHop: address('192.0.2.200'),
  multiExitDiscriminator: 5,
  localPreference: 4_000_000_000,
  atomicAggregate: true,
  communities: [1],
  originatorId: 6,
  clusterList: [1, 2, 3],
};

function scan(bytes: Uint8Array, context = DEFAULT_CONTEXT): boolean {
  return scanner.scan(bytes, 0, bytes.length, context.peerKind === 'external');
}

/** Whatever the scanner takes, the decoder reads in the same way. Answers whether it took it. */
function compare(bytes: Uint8Array, context: WireContext): boolean {
  // Within other bytes, as in a message.
  const within = new Uint8Array(bytes.length + 9).fill(0xff);
  within.set(bytes, 4);
  if (!scanner.scan(within, 4, 4 + bytes.length, context.peerKind === 'external')) return false;
  const { attributes, nextHop, problems } = new AttributeDecoder(context).decode(bytes);
  const { asPath = [], communities = [] } = attributes;
  assert.deepEqual(problems, []);
  assert.ok(!hasMembers(asPath));
  assert.deepEqual(Object.fromEntries(Object.entries(scanner)), {
    origin: attributes.origin,
    pathLength: asPathLength(asPath),
    neighbour: neighbourAs(asPath) ?? 0,
    nextHop: Number(nextHop?.value ?? -1),
    med: attributes.multiExitDiscriminator ?? 0,
    localPreference: attributes.localPreference ?? -1,
    originatorId: attributes.originatorId ?? 0,
    clusterLength: attributes.clusterList?.length ?? 0,
    isMarked: communities.some((each) => each >= Community.GracefulShutdown) || hasSets(asPath),
  });
  for (const asn of [...asPath.flatMap(({ asns }) => asns), 0, 64_512]) {
    assert.equal(hasAs(bytes, asn), asPathContains(asPath, asn) > 0);
  }
  return true;
}

test('takes ordinary attributes, also without any optional one', () => {
  assert.ok(compare(encodeAttributes(ORDINARY, DEFAULT_CONTEXT), DEFAULT_CONTEXT));
  const few = encodeAttributes({ origin: 0, asPath: [] }, DEFAULT_CONTEXT);
  assert.ok(compare(few, EXTERNAL));
});

test('sees communities that mean something to every speaker', () => {
  for (const [community, isMarked] of [
    [0xfffe_ffff, false],
    [Community.GracefulShutdown, true],
    [Community.Blackhole, true],
    [Community.NoExport, true],
  ] as const) {
    const communities = [1, community, 2];
    assert.ok(scan(encodeAttributes({ ...ORDINARY, communities }, DEFAULT_CONTEXT)));
    assert.equal(scanner.isMarked, isMarked, `${community}`);
  }
});

test('sees sets of AS numbers', () => {
  const asPath = [
    { kind: 'sequence', asns: [7] },
    { kind: 'set', asns: [8, 9] },
  ] as const;
  assert.ok(compare(encodeAttributes({ ...ORDINARY, asPath }, DEFAULT_CONTEXT), DEFAULT_CONTEXT));
  assert.equal(scanner.isMarked, true);
});

test('leaves what is out of the ordinary to the decoder', () => {
  const whole = encodeAttributes(ORDINARY, DEFAULT_CONTEXT);
  const asPath = [{ kind: 'confed-sequence' as const, asns: [1] }];
  assert.ok(!scan(whole, EXTERNAL), 'internal attributes from outside');
  assert.ok(!scan(encodeAttributes({ ...ORDINARY, asPath }, DEFAULT_CONTEXT)));
  assert.ok(!scan(Uint8Array.of(...whole, ...whole.subarray(0, 4))), 'twice');
  assert.ok(!scan(Uint8Array.of(...whole, 0x40, 200, 0)), 'well-known and unknown');
  assert.ok(scan(Uint8Array.of(...whole, 0xc0, 200, 0)));
  assert.ok(!scan(whole.subarray(4)), 'no ORIGIN');
});

test('agrees with the decoder on whatever it takes, damaged or not', () => {
  const random = seededRandom(7);
  let taken = 0;
  fc.assert(
    fc.property(anyMessage, fc.boolean(), ({ message }, isExternal) => {
      if (message.kind !== 'update') return;
      const context = isExternal ? EXTERNAL : DEFAULT_CONTEXT;
      const bytes = encodeAttributes(message.attributes, context);
      taken += Number(compare(bytes, context));
      for (let round = 0; round < 20 && bytes.length > 0; round++) {
        const damaged = bytes.slice(0, bytes.length - (round % 3 === 0 ? random(3) : 0));
        damaged[random(bytes.length)] = random(256);
        taken += Number(compareOrThrow(damaged, context));
      }
    }),
    { numRuns: 3_000, seed: 7 },
  );
  assert.ok(taken > 1_000, `${taken}`);
});

/** What the decoder resets sessions for is never taken. */
function compareOrThrow(bytes: Uint8Array, context: WireContext): boolean {
  try {
    new AttributeDecoder(context).decode(bytes);
  } catch {
    assert.ok(!scan(bytes, context));
    return false;
  }
  return compare(bytes, context);
}
