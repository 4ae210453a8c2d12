import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rule, Statement, Transaction } from './ruleset.ts';
import { plainText, ruleText, transactionText } from './text.ts';

const TRANSACTION: Transaction = [
  { kind: 'delete-table' },
  { kind: 'add-table' },
  {
    kind: 'add-set',
    name: 'ports/named',
    set: { kind: 'set', key: ['ipv4_addr', 'inet_service'], interval: false, comment: 'a "b"' },
  },
  {
    kind: 'add-set',
    name: 'dispatch/from',
    set: { kind: 'verdict-map', key: ['ifname'], interval: false },
  },
  {
    kind: 'add-set',
    name: 'class/from',
    set: { kind: 'class-map', key: ['ifname'], interval: false },
  },
  { kind: 'add-set', name: 'nets/4', set: { kind: 'set', key: ['ipv4_addr'], interval: true } },
  {
    kind: 'add-chain',
    name: 'filter-forward',
    chain: {
      base: { type: 'filter', hook: 'forward', priority: -1, policy: 'accept' },
      comment: 'from pods',
    },
  },
  { kind: 'add-chain', name: 'policy/a', chain: {} },
  { kind: 'flush-chain', name: 'policy/a' },
  {
    kind: 'add-rule',
    chain: 'policy/a',
    rule: { statements: [{ kind: 'verdict', verdict: 'accept' }], comment: 'rule 1' },
  },
  {
    kind: 'add-elements',
    set: 'dispatch/from',
    key: ['ifname'],
    interval: false,
    elements: [
      ['cali1', 'goto policy/a'],
      ['cali2', 'drop'],
    ],
  },
  {
    kind: 'add-elements',
    set: 'class/from',
    key: ['ifname'],
    interval: false,
    elements: [['cali1', 'class abc']],
  },
  {
    kind: 'delete-elements',
    set: 'ports/named',
    key: ['ipv4_addr', 'inet_service'],
    interval: false,
    elements: [['10.0.0.1 . 80', undefined]],
  },
  { kind: 'delete-chain', name: 'policy/b' },
  { kind: 'delete-set', name: 'nets/6' },
];

test('transactionText() writes one command per line', () => {
  assert.deepEqual(transactionText('calico', TRANSACTION).split('\n'), [
    'delete table inet calico',
    'add table inet calico',
    `add set inet calico ports/named { type ipv4_addr . inet_service; comment "a 'b'"; }`,
    'add map inet calico dispatch/from { type ifname : verdict; }',
    'add map inet calico class/from { type ifname : mark . ifname; }',
    'add set inet calico nets/4 { type ipv4_addr; flags interval; }',
    'add chain inet calico filter-forward { type filter hook forward priority -1; policy accept; comment "from pods"; }',
    'add chain inet calico policy/a { }',
    'flush chain inet calico policy/a',
    'add rule inet calico policy/a accept comment "rule 1"',
    'add element inet calico dispatch/from { "cali1" : goto policy/a, "cali2" : drop }',
    'add element inet calico class/from { "cali1" : 1 . "abc" }',
    'delete element inet calico ports/named { 10.0.0.1 . 80 }',
    'delete chain inet calico policy/b',
    'delete set inet calico nets/6',
    '',
  ]);
});

const match = (
  field: Extract<Statement, { kind: 'match' }>['fields'][number],
  value: string,
  operator: '==' | '!=' = '==',
): Statement => ({ kind: 'match', fields: [field], operator, value });

const RULES: readonly (readonly [Statement[], string])[] = [
  [[match('iifname', 'cali*')], 'iifname "cali*"'],
  [[match('ip saddr', '10.0.0.0/8', '!=')], 'ip saddr != 10.0.0.0/8'],
  [[match('tcp dport', '@ports/a')], 'tcp dport @ports/a'],
  [[match('ct state', 'established,related')], 'ct state established,related'],
  [
    [{ kind: 'match', fields: ['iifname', 'ip saddr'], operator: '!=', value: '@sources/4' }],
    'iifname . ip saddr != @sources/4',
  ],
  [[{ kind: 'verdict-map', field: 'oifname', map: 'dispatch/to' }], 'oifname vmap @dispatch/to'],
  [
    [{ kind: 'class-verdict-map', field: 'iifname', classes: 'class/from', map: 'dispatch/from' }],
    'iifname map @class/from != 0x0 0x0 vmap @dispatch/from',
  ],
  [
    [
      { kind: 'set-mark', bits: 0x10000, set: true },
      { kind: 'verdict', verdict: 'return' },
    ],
    'meta mark set meta mark | 0x00010000 return',
  ],
  [[{ kind: 'set-mark', bits: 0x10000, set: false }], 'meta mark set meta mark & 0xfffeffff'],
  [
    [
      { kind: 'match-mark', bits: 0x80000000, set: true },
      { kind: 'verdict', verdict: 'goto tier/2' },
    ],
    'meta mark & 0x80000000 == 0x80000000 goto tier/2',
  ],
  [[{ kind: 'match-mark', bits: 1, set: false }], 'meta mark & 0x00000001 == 0x00000000'],
  [
    [{ kind: 'log', prefix: 'cost: $5 "x"' }, { kind: 'counter' }, { kind: 'masquerade' }],
    `log prefix "cost: _5 'x'" counter masquerade`,
  ],
  [
    [
      { kind: 'match-connection-mark', bits: 0x10000, set: false },
      { kind: 'match', fields: ['ct status'], operator: '==', value: 'dnat' },
      { kind: 'notrack' },
    ],
    'ct mark & 0x00010000 == 0x00000000 ct status dnat notrack',
  ],
  [[{ kind: 'masquerade', ports: '1024-2047' }], 'masquerade to :1024-2047'],
  [[{ kind: 'snat', address: '192.0.2.5' }], 'snat ip to 192.0.2.5'],
  [[{ kind: 'snat', address: '2001:db8::5', ports: '80-81' }], 'snat ip6 to [2001:db8::5]:80-81'],
  [[{ kind: 'reject', with: 'tcp reset' }], 'reject with tcp reset'],
  [[{ kind: 'reject', with: 'port-unreachable' }], 'reject with icmpx port-unreachable'],
];

test('ruleText() writes every statement', () => {
  for (const [statements, text] of RULES) assert.equal(ruleText({ statements }), text);
});

test('ruleText() refuses what nft would take for something else', () => {
  const refused: readonly Statement[][] = [
    [{ kind: 'verdict', verdict: 'jump a; flush ruleset' }],
    [match('ip saddr', '10.0.0.1 accept\nadd')],
    [match('iifname', 'a" accept comment "')],
    [match('udp sport', '1', '!='), { kind: 'counter' }, match('udp dport', '2', '!=')],
    [match('udp dport', '1'), match('udp sport', '2')],
    [match('icmp type', '3', '!='), match('icmp code', '0', '!=')],
  ];
  for (const statements of refused) assert.throws(() => ruleText({ statements }), RangeError);
  const accepted: Rule = {
    statements: [
      match('udp sport', '1'),
      match('udp dport', '2', '!='),
      match('ip saddr', '1.1.1.1'),
    ],
  };
  assert.equal(ruleText(accepted), 'udp sport 1 udp dport != 2 ip saddr 1.1.1.1');
});

test('plainText() cuts at 127 bytes between characters', () => {
  assert.equal(plainText('x'.repeat(127)), 'x'.repeat(127));
  assert.equal(plainText('x'.repeat(128)), `${'x'.repeat(124)}…`);
  assert.equal(plainText('é'.repeat(64)), `${'é'.repeat(62)}…`);
  assert.equal(plainText('😀'.repeat(32)), `${'😀'.repeat(31)}…`);
  assert.equal(plainText('a"b\nc'), "a'b c");
  assert.equal(plainText(plainText('ö'.repeat(200))), plainText('ö'.repeat(200)));
});
