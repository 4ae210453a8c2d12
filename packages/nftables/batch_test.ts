import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageWriter } from '@calico/netlink';
import { writeBatch } from './batch.ts';
import type { Transaction } from './ruleset.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function batchHex(transaction: Transaction, generation?: number): string {
  const writer = new MessageWriter();
  writeBatch(writer, 'calico', transaction, generation);
  return hex(writer.bytes);
}

const joined = (...lines: readonly string[]): string => lines.join('').replaceAll(' ', '');

// The kernel took it and listed: "cali1" : goto a/1
test('writeBatch() writes elements', () => {
  assert.equal(
    batchHex(
      [
        {
          kind: 'add-elements',
          set: 'd/1',
          key: ['ifname'],
          interval: false,
          elements: [['cali1', 'goto a/1']],
        },
      ],
      7,
    ),
    joined(
      '1c000000100001000100000000000000 0000000a 0800010000000007', // begin, generation 7
      '600000000c0a05040200000000000000 01000000', // NEWSETELEM with an answer, inet
      '0b00010063616c69636f0000', // table "calico"
      '08000200642f3100', // set "d/1"
      '38000380 34000180', // elements, the first one
      '18000180 1400010063616c69310000000000000000000000', // key "cali1"
      '18000280 14000280 08000100fffffffc 08000200612f3100', // data, verdict: goto, "a/1"
      '14000000110001000300000000000000 0000000a', // end
    ),
  );
});

// As `nft` 1.0.6 writes `ip saddr 10.0.0.0/8 goto reg comment "hello"`, seen by strace.
test('writeBatch() writes rules as libnftables does', () => {
  const written = batchHex([
    {
      kind: 'add-rule',
      chain: 'reg2',
      rule: {
        statements: [
          { kind: 'match', fields: ['ip saddr'], operator: '==', value: '10.0.0.0/8' },
          { kind: 'verdict', verdict: 'goto reg' },
        ],
        comment: 'hello',
      },
    },
  ]);
  const expressions = joined(
    '2400018009000100 6d657461 00000000 14000280 080002000000000f 0800010000000001', // meta nfproto
    '2c00018008000100 636d7000 20000280 0800010000000001 0800020000000000 0c000380 0500010002000000',
    '340001800c000100 7061796c6f616400 24000280', // payload
    '0800010000000001 0800020000000001 080003000000000c 0800040000000001',
    '2c00018008000100 636d7000 20000280 0800010000000001 0800020000000000 0c000380 050001000a000000',
    '380001800e000100 696d6d656469617465000000 24000280', // immediate
    '0800010000000000 18000280 14000280 08000100fffffffc 08000200 72656700',
  );
  // The order of two attributes of "meta" is the other one here, which the kernel does not mind.
  assert.ok(written.includes(expressions), written);
  assert.ok(written.includes('0c0007000006 68656c6c6f00'.replaceAll(' ', '')));
});

test('writeBatch() knows which command a message belongs to', () => {
  const writer = new MessageWriter();
  const elements = Array.from(
    { length: 5000 },
    (_, index) => [`10.0.${index >> 8}.${index & 255}`, undefined] as const,
  );
  const many = {
    kind: 'add-elements',
    set: 's/1',
    key: ['ipv4_addr'],
    interval: false,
    elements,
  } as const;
  const { last, commandOf } = writeBatch(writer, 'calico', [
    { kind: 'add-table' },
    many,
    { kind: 'delete-set', name: 'x/y' },
  ]);
  assert.ok(last > 4);
  assert.equal(commandOf(2)?.kind, 'add-table');
  assert.equal(commandOf(3)?.kind, 'add-elements');
  assert.equal(commandOf(last - 1)?.kind, 'add-elements');
  assert.equal(commandOf(last)?.kind, 'delete-set');
});

const ruleWith = (
  fields: readonly ['ct state' | 'ip saddr'],
  operator: '==' | '!=',
  value: string,
): Transaction => [
  {
    kind: 'add-rule',
    chain: 'a/b',
    rule: { statements: [{ kind: 'match', fields, operator, value }] },
  },
];

test('writeBatch() refuses what it cannot encode', () => {
  assert.throws(() => batchHex(ruleWith(['ct state'], '!=', 'new,invalid')), RangeError);
  assert.throws(() => batchHex(ruleWith(['ct state'], '==', 'fresh')), RangeError);
  assert.throws(() => batchHex(ruleWith(['ip saddr'], '==', 'cali1')), { name: 'IpError' });
});
