import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import type { Treatment } from './attributes.ts';
import { DEFAULT_CONTEXT, type WireContext } from './context.ts';
import type { ProtocolError } from './errors.ts';
import { MessageFramer } from './framing.ts';
import { decodeMessage } from './message.ts';
import { encodeAnnouncement, encodeWithdrawal } from './packing.ts';
import { EMPTY_UPDATE, fromHex, nlri } from './testing.ts';
import { decodeUpdate, encodeUpdate, endOfRib, endOfRibOf, type Update } from './update.ts';

const GOOD = '400101 00 400200 400304 0a000001';
const MP_REACH = '800e 0e 0002 01 00'; // next hop length 0
/** MP_REACH_NLRI of VPN routes. */
const OTHER_FAMILY = '800e08 0001 80 00 00 180a01';

const OLD_SPEAKER = { fourOctetAs: false } as const;

const length = (hex: string): string => fromHex(hex).length.toString(16).padStart(4, '0');

function body(attributes: string, announced = '18 0a0102', withdrawn = ''): Uint8Array {
  return fromHex(`${length(withdrawn)}${withdrawn}${length(attributes)}${attributes}${announced}`);
}

function decode(bytes: Uint8Array, context: Partial<WireContext> = {}): Update {
  return decodeUpdate(bytes, { ...DEFAULT_CONTEXT, ...context });
}

type Case = readonly [
  name: string,
  attributes: string,
  treatment: Treatment | undefined,
  context?: Partial<WireContext>,
];

const CASES: readonly Case[] = [
  ['a good message', GOOD, undefined],
  ['ORIGIN of a wrong length', `400102 0000 400200 400304 0a000001`, 'treat-as-withdraw'],
  ['ORIGIN of a wrong value', `400101 03 400200 400304 0a000001`, 'treat-as-withdraw'],
  ['ORIGIN with wrong flags', `c00101 00 400200 400304 0a000001`, 'treat-as-withdraw'],
  ['no ORIGIN', '400200 400304 0a000001', 'treat-as-withdraw'],
  ['no AS_PATH', '400101 00 400304 0a000001', 'treat-as-withdraw'],
  ['no NEXT_HOP', '400101 00 400200', 'treat-as-withdraw'],
  [
    'AS_PATH with an unknown segment',
    '40010100 400206 09 01 00000001 400304 0a000001',
    'treat-as-withdraw',
  ],
  ['AS_PATH with an empty segment', '40010100 400202 02 00 400304 0a000001', 'treat-as-withdraw'],
  ['AS_PATH that is cut', '40010100 400205 02 01 000000 400304 0a000001', 'treat-as-withdraw'],
  ['AS_PATH with AS 0', '40010100 400206 02 01 00000000 400304 0a000001', 'treat-as-withdraw'],
  ['NEXT_HOP of a wrong length', '40010100 400200 400303 0a0000', 'treat-as-withdraw'],
  ['MED of a wrong length', `${GOOD} 800403 000000`, 'treat-as-withdraw'],
  ['LOCAL_PREF of a wrong length', `${GOOD} 400503 000000`, 'treat-as-withdraw'],
  [
    'LOCAL_PREF from outside',
    `${GOOD} 400504 00000064`,
    'attribute-discard',
    { peerKind: 'external' },
  ],
  ['ATOMIC_AGGREGATE with a value', `${GOOD} 400601 00`, 'attribute-discard'],
  ['AGGREGATOR of a wrong length', `${GOOD} c00706 000000000000`, 'attribute-discard'],
  ['AGGREGATOR with AS 0', `${GOOD} c00708 00000000 0a000001`, 'attribute-discard'],
  ['COMMUNITIES of a wrong length', `${GOOD} c00803 000000`, 'treat-as-withdraw'],
  ['COMMUNITIES that are empty', `${GOOD} c00800`, 'treat-as-withdraw'],
  ['ORIGINATOR_ID of a wrong length', `${GOOD} 800903 000000`, 'treat-as-withdraw'],
  [
    'ORIGINATOR_ID from outside',
    `${GOOD} 800904 00000001`,
    'attribute-discard',
    { peerKind: 'external' },
  ],
  ['CLUSTER_LIST of a wrong length', `${GOOD} 800a03 000000`, 'treat-as-withdraw'],
  [
    'CLUSTER_LIST from outside',
    `${GOOD} 800a04 00000001`,
    'attribute-discard',
    { peerKind: 'external' },
  ],
  ['extended communities of a wrong length', `${GOOD} c01004 00000000`, 'treat-as-withdraw'],
  ['ONLY_TO_CUSTOMER of a wrong length', `${GOOD} c02303 000000`, 'treat-as-withdraw'],
  ['large communities of a wrong length', `${GOOD} c02004 00000000`, 'treat-as-withdraw'],
  ['AS4_PATH among new speakers', `${GOOD} c01106 02 01 00000001`, 'attribute-discard'],
  ['a malformed AS4_PATH', `${GOOD} c01105 02 01 000000`, 'attribute-discard', OLD_SPEAKER],
  ['AS4_PATH with AS 0', `${GOOD} c01106 02 01 00000000`, 'attribute-discard', OLD_SPEAKER],
  ['a malformed AS4_AGGREGATOR', `${GOOD} c01204 00000001`, 'attribute-discard', OLD_SPEAKER],
  [
    'AS4_AGGREGATOR with AS 0',
    `${GOOD} c01208 00000000 0a000001`,
    'attribute-discard',
    OLD_SPEAKER,
  ],
  ['an attribute that occurs twice', `${GOOD} 400101 02`, 'attribute-discard'],
  ['an attribute that runs over the end', `${GOOD} 8004ff 00`, 'treat-as-withdraw'],
  ['an extended length that is cut', `${GOOD} 9004 00`, 'treat-as-withdraw'],
  ['a byte too much', `${GOOD} 80`, 'treat-as-withdraw'],
  ['an unknown transitive attribute', `${GOOD} c063 01 07`, undefined],
  ['an unknown non-transitive attribute', `${GOOD} 8063 01 07`, undefined],
];

for (const [name, attributes, treatment, context] of CASES) {
  test(`decodeUpdate() answers ${treatment ?? 'no problem'} for ${name}`, () => {
    const update = decode(body(attributes), context);
    assert.equal(update.problems[0]?.treatment, treatment);
    assert.deepEqual(update.announced, [nlri('10.1.2.0/24')], 'the prefixes are known in any case');
  });
}

const RESETS: readonly (readonly [name: string, bytes: Uint8Array, subcode: number])[] = [
  ['attributes longer than the message', fromHex('0000 0005 40'), 1],
  ['withdrawn routes longer than the message', fromHex('0009 00 0000'), 1],
  ['a prefix longer than its family', body(GOOD, '21 0a010203 04'), 10],
  ['a prefix that is cut', body(GOOD, '20 0a0102'), 10],
  ['a withdrawn prefix that is cut', body('', '', '20 0a'), 10],
  ['MP_REACH_NLRI without a next hop', body(`${MP_REACH} ${'00'.repeat(10)}`, ''), 9],
  ['MP_UNREACH_NLRI with a broken prefix', body('800f05 0002 01 81 00', ''), 9],
  ['MP_UNREACH_NLRI twice', body('800f03 0002 01 800f03 0002 01', ''), 1],
  ['an unknown well-known attribute', body(`${GOOD} 4063 01 07`), 2],
  ['an unknown well-known attribute without routes', body('4063 01 07', ''), 2],
  ['the same beside withdrawn routes', body('4063 01 07', '', '18 0a0102'), 2],
  ['the same beside MP_UNREACH_NLRI', body('800f03 0002 01 4063 01 07', ''), 2],
  ['the same with routes of a family not spoken here', body(`${OTHER_FAMILY} 4063 01 07`, ''), 2],
  ['a fault without routes to withdraw', body(`${GOOD} c00803 000000`, ''), 1],
  ['the same beside withdrawn routes', body('c00803 000000', '', '18 0a0102'), 1],
  ['the same beside MP_UNREACH_NLRI', body('800f03 0002 01 c00803 000000', ''), 1],
  ['attributes without routes that run over the end', body('4001ff 00', ''), 1],
];

for (const [name, bytes, subcode] of RESETS) {
  test(`decodeUpdate() resets for ${name}`, () => {
    assert.throws(
      () => decode(bytes),
      (error: ProtocolError) => error.code === 3 && error.subcode === subcode,
    );
  });
}

test('an old speaker that has aggregated itself makes AS4_PATH and AS4_AGGREGATOR void (RFC 6793 section 4.2.3)', () => {
  const bytes = body(
    '400101 00 400204 02 01 5ba0 400304 0a000001 c00706 0001 0a000001 c01106 02 01 00011170 c01208 00011170 0a000002',
  );
  const { attributes, problems } = decode(bytes, OLD_SPEAKER);
  assert.deepEqual(problems, []);
  assert.deepEqual(attributes.asPath, [{ kind: 'sequence', asns: [23_456] }]);
  assert.deepEqual(attributes.aggregator, { asn: 1, routerId: 0x0a00_0001 });
});

test('wrong flags of MP_REACH_NLRI withdraw its routes', () => {
  const next = `0002 01 10 fd${'00'.repeat(15)} 00 20 20010db8`;
  for (const [flags, treatment] of [
    ['80', undefined],
    ['c0', 'treat-as-withdraw'],
    ['40', 'treat-as-withdraw'],
  ] as const) {
    const update = decode(body(`400101 00 400200 ${flags}0e1a ${next}`, ''));
    assert.equal(update.problems[0]?.treatment, treatment, flags);
    assert.deepEqual(update.reach?.nlri, [nlri('2001:db8::/32')], 'they are known in any case');
  }
});

test('decodeUpdate() does without an attribute where there are no routes, too', () => {
  for (const attributes of [
    `${GOOD} 400601 00`,
    '800f03 0002 01 400601 00',
    'c00706 000000000000',
  ]) {
    assert.equal(decode(body(attributes, '')).problems[0]?.treatment, 'attribute-discard');
  }
});

test('decodeUpdate() lives with wrong flags of MP_UNREACH_NLRI alone, and with faults of other families', () => {
  for (const attributes of ['c00f03 0002 01', `${OTHER_FAMILY} c00803 000000`]) {
    assert.equal(decode(body(attributes, '')).problems[0]?.treatment, 'treat-as-withdraw');
  }
});

test('decodeUpdate() keeps unknown transitive attributes only', () => {
  const { attributes } = decode(body(`${GOOD} 8064 01 07 c063 01 07`));
  assert.deepEqual(attributes.unknown, [{ flags: 0xc0, type: 99, value: fromHex('07') }]);
});

test('decodeUpdate() ignores bits behind the prefix length', () => {
  assert.deepEqual(decode(body(GOOD, '1a 0af455ff')).announced, [nlri('10.244.85.192/26')]);
});

test('decodeUpdate() keeps nothing of families it does not speak', () => {
  const { reach } = decode(body('400101 00 400200 800e08 0001 80 00 00 180a01', ''));
  assert.deepEqual(reach, { family: undefined, nextHop: undefined, nlri: [] });
});

test('an old speaker gets AS4_PATH, and what it passes on is put together again', () => {
  const context: WireContext = { ...DEFAULT_CONTEXT, fourOctetAs: false };
  const update: Update = {
    ...EMPTY_UPDATE,
    announced: [nlri('10.1.2.0/24')],
    attributes: {
      origin: 0,
      asPath: [{ kind: 'sequence', asns: [65000, 4200000000, 65001] }],
      nextHop: parseAddress('10.0.0.1'),
      aggregator: { asn: 4200000000, routerId: 1 },
    },
  };
  const bytes = encodeUpdate(update, context);
  assert.deepEqual(decodeUpdate(bytes, context), update);
  // An old speaker puts its own number in front of AS_PATH only.
  const { attributes } = decodeUpdate(
    body('400101 00 400208 02 03 00c8 fde8 5ba0 400304 0a000001 c0110a 02 02 0000fde8 fa56ea00'),
    context,
  );
  assert.deepEqual(attributes.asPath, [{ kind: 'sequence', asns: [200, 65000, 4200000000] }]);
});

test('endOfRibOf() knows the markers of both families', () => {
  for (const family of [4, 6] as const) {
    const bytes = encodeUpdate(endOfRib(family), DEFAULT_CONTEXT);
    assert.equal(endOfRibOf(decode(bytes)), family);
  }
  assert.equal(endOfRibOf(decode(body(GOOD))), undefined);
  assert.equal(endOfRibOf(decode(body('', '', '18 0a0102'))), undefined);
});

function decodeAll(messages: readonly Uint8Array[], context: WireContext): Update[] {
  const framer = new MessageFramer();
  if (context.extendedMessages) framer.allowExtendedMessages();
  return messages.map((bytes) => {
    assert.ok(bytes.length <= (context.extendedMessages ? 65_535 : 4096), `${bytes.length}`);
    framer.push(bytes);
    const frame = framer.next();
    assert.ok(frame);
    return decodeMessage(frame, context) as Update;
  });
}

for (const extendedMessages of [false, true]) {
  for (const family of [4, 6] as const) {
    test(`encodeAnnouncement() fills messages, IPv${family}, extended ${extendedMessages}`, () => {
      const context: WireContext = { ...DEFAULT_CONTEXT, extendedMessages };
      const list = Array.from({ length: 20_000 }, (_, index) =>
        family === 4
          ? nlri(`10.${index >> 8}.${index & 255}.0/24`)
          : nlri(`2001:db8:${index.toString(16)}::/48`),
      );
      const nextHop = parseAddress(family === 4 ? '192.168.80.100' : 'fd00::1');
      const attributes = { origin: 0, asPath: [], localPreference: 100 } as const;
      const announcement = { family, nextHop, attributes, nlri: list };
      const updates = decodeAll(encodeAnnouncement(announcement, context), context);
      assert.deepEqual(
        updates.flatMap(({ announced, reach }) => reach?.nlri ?? announced),
        list,
      );
      assert.ok(updates.every(({ problems }) => problems.length === 0));
      const withdrawals = decodeAll(encodeWithdrawal(family, list, context), context);
      assert.deepEqual(
        withdrawals.flatMap(({ withdrawn, unreach }) => unreach?.nlri ?? withdrawn),
        list,
      );
      const bytes = list.length * (family === 4 ? 4 : 7);
      const least = Math.ceil(bytes / (extendedMessages ? 65_000 : 4_000));
      assert.ok(updates.length <= least + 2, `${updates.length} messages for ${bytes} bytes`);
    });
  }
}

test('encodeWithdrawal() writes nothing for nothing', () => {
  assert.deepEqual(encodeWithdrawal(4, [], DEFAULT_CONTEXT), []);
});
