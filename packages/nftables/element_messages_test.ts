import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageWriter } from '@calico/netlink';
import { isElementsOnly, keyBytes, writeElements } from './element_messages.ts';
import type { KeyType } from './ruleset.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const KEYS: readonly (readonly [readonly KeyType[], string, string])[] = [
  [['ipv4_addr'], '10.65.0.1', '0a410001'],
  [['ipv6_addr'], 'fd00::1', 'fd000000000000000000000000000001'],
  [['inet_service'], '8080', '1f90'],
  [['inet_proto'], '132', '84'],
  [['ifname'], 'cali1', `63616c6931${'00'.repeat(11)}`],
  [['ipv4_addr', 'inet_service'], '10.65.0.1 . 80', '0a41000100500000'],
  [['ifname', 'ipv4_addr'], 'cali1 . 10.0.0.1', `63616c6931${'00'.repeat(11)}0a000001`],
];

test('keyBytes() pads the parts of a concatenation to four bytes', () => {
  for (const [key, element, expected] of KEYS) assert.equal(hex(keyBytes(key, element)), expected);
  assert.throws(() => keyBytes(['inet_service'], '65536'), RangeError);
  assert.throws(() => keyBytes(['ipv4_addr', 'inet_service'], '10.0.0.1'), RangeError);
});

// The kernel took it and listed: "cali1" : goto a/1
const GOLDEN = [
  '14000000100001000100000000000000 0000000a', // batch begin
  '600000000c0a01040200000000000000 01000000', // NEWSETELEM, inet
  '0b00010063616c69636f0000', // table "calico"
  '08000200642f3100', // set "d/1"
  '38000380 34000180', // elements, the first one
  '18000180 1400010063616c69310000000000000000000000', // key "cali1"
  '18000280 14000280 08000100fffffffc 08000200612f3100', // data, verdict: goto, "a/1"
  '14000000110005000300000000000000 0000000a', // batch end, with an answer
];

test('writeElements() writes one batch', () => {
  const writer = new MessageWriter();
  const last = writeElements(writer, 'calico', [
    {
      kind: 'add-elements',
      set: 'd/1',
      key: ['ifname'],
      interval: false,
      elements: [['cali1', 'goto a/1']],
    },
  ]);
  assert.equal(last, 3);
  assert.equal(hex(writer.bytes), GOLDEN.join('').replaceAll(' ', ''));
});

test('isElementsOnly() leaves intervals and all else to libnftables', () => {
  const change = { set: 's/1', key: ['ipv4_addr'], elements: [] } as const;
  assert.ok(isElementsOnly([{ ...change, kind: 'add-elements', interval: false }]));
  assert.ok(!isElementsOnly([{ ...change, kind: 'add-elements', interval: true }]));
  assert.ok(!isElementsOnly([{ kind: 'add-table' }]));
});
