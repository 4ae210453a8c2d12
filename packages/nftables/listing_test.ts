import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NftablesError } from './errors.ts';
import { parseListing } from './listing.ts';
import { ruleText } from './text.ts';

const listing = (...objects: unknown[]): string =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...objects] });

test('parseListing() reads chains, sets and maps', () => {
  const ruleset = parseListing(
    listing(
      { table: { family: 'inet', name: 'calico', handle: 1 } },
      {
        set: {
          name: 'nets/4',
          type: 'ipv4_addr',
          flags: ['interval'],
          comment: 'x',
          elem: [
            { prefix: { addr: '10.0.0.0', len: 8 } },
            { range: ['1.0.0.1', '1.0.0.5'] },
            '9.9.9.9',
          ],
        },
      },
      {
        set: {
          name: 'p/1',
          type: ['ipv4_addr', 'inet_service'],
          elem: [{ concat: ['10.0.0.2', 53] }],
        },
      },
      {
        map: {
          name: 'from/1',
          type: 'ifname',
          map: 'verdict',
          elem: [
            ['x', { drop: null }],
            ['cali1', { goto: { target: 'a/1' } }],
          ],
        },
      },
      {
        map: {
          name: 'class/1',
          type: 'ifname',
          map: 'mark . ifname',
          elem: [
            ['cali1', { concat: [1, 'abc'] }],
            ['cali2', { concat: [2, 'abc'] }],
          ],
        },
      },
      { map: { name: 'mark/1', type: 'ipv4_addr', map: 'mark', elem: [['10.0.0.1', 7]] } },
      { chain: { name: 'f-1', type: 'filter', hook: 'forward', prio: 1, policy: 'drop' } },
      { chain: { name: 'a/1' } },
      { rule: { chain: 'a/1', comment: 'c', expr: [{ accept: null }] } },
    ),
  );
  assert.deepEqual(
    [...ruleset.chains],
    [
      [
        'f-1',
        { base: { type: 'filter', hook: 'forward', priority: 1, policy: 'drop' }, rules: [] },
      ],
      [
        'a/1',
        {
          base: undefined,
          rules: [{ statements: [{ kind: 'verdict', verdict: 'accept' }], comment: 'c' }],
        },
      ],
    ],
  );
  assert.deepEqual(
    [...(ruleset.sets.get('nets/4')?.elements.keys() ?? [])],
    ['10.0.0.0/8', '1.0.0.1-1.0.0.5', '9.9.9.9'],
  );
  assert.equal(ruleset.sets.get('nets/4')?.interval, true);
  assert.equal(ruleset.sets.get('nets/4')?.comment, 'x');
  assert.deepEqual(ruleset.sets.get('p/1')?.elements, new Map([['10.0.0.2 . 53', undefined]]));
  assert.deepEqual(
    [...(ruleset.sets.get('from/1')?.elements ?? [])],
    [
      ['x', 'drop'],
      ['cali1', 'goto a/1'],
    ],
  );
  assert.deepEqual(
    [...(ruleset.sets.get('class/1')?.elements ?? [])],
    [
      ['cali1', 'class abc'],
      ['cali2', undefined],
    ],
  );
  assert.deepEqual(ruleset.sets.get('mark/1')?.key, []);
});

const EXPRESSIONS: readonly (readonly [unknown, string])[] = [
  [
    { match: { op: 'in', left: { ct: { key: 'state' } }, right: [4, 2] } },
    'ct state established,related',
  ],
  [
    { match: { op: '!=', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '@s/1' } },
    'ip saddr != @s/1',
  ],
  [{ match: { op: '==', left: { meta: { key: 'nfproto' } }, right: 10 } }, 'meta nfproto ipv6'],
  [{ match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 6 } }, 'meta l4proto 6'],
  [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'cali*' } }, 'iifname "cali*"'],
  [
    { match: { op: '!=', left: { fib: { result: 'type', flags: ['saddr', 'oif'] } }, right: 2 } },
    'fib saddr . oif type != local',
  ],
  [
    {
      match: { op: '==', left: { meta: { key: 'mark' } }, right: { prefix: { addr: 0, len: 1 } } },
    },
    'meta mark & 0x80000000 == 0x00000000',
  ],
  [
    {
      mangle: {
        key: { meta: { key: 'mark' } },
        value: { '&': [{ meta: { key: 'mark' } }, 0xfffeffff] },
      },
    },
    'meta mark set meta mark & 0xfffeffff',
  ],
  [
    {
      match: {
        op: '!=',
        left: { '&': [{ payload: { protocol: 'ip', field: 'daddr' } }, '255.255.240.0'] },
        right: '@s/1',
      },
    },
    'ip daddr & 255.255.240.0 != @s/1',
  ],
  [{ vmap: { key: { meta: { key: 'iifname' } }, data: '@d/1' } }, 'iifname vmap @d/1'],
  [{ masquerade: null }, 'masquerade'],
  [{ counter: { packets: 5, bytes: 400 } }, 'counter'],
];

test('parseListing() reads statements', () => {
  for (const [expression, text] of EXPRESSIONS) {
    const { chains } = parseListing(
      listing({ chain: { name: 'a/1' } }, { rule: { chain: 'a/1', expr: [expression] } }),
    );
    const [rule] = chains.get('a/1')?.rules ?? [];
    assert.equal(rule && ruleText(rule), text);
  }
});

const asked = { map: { key: { meta: { key: 'oifname' } }, data: '@class/to' } };
const compared = { match: { op: '!=', left: asked, right: '0x0 [invalid type]' } };
const lookedUp = { vmap: { key: '0x0 [invalid type]', data: '@d/1' } };

function textOf(...expr: unknown[]): string | undefined {
  const { chains } = parseListing(
    listing({ chain: { name: 'a/1' } }, { rule: { chain: 'a/1', expr } }),
  );
  const [rule] = chains.get('a/1')?.rules ?? [];
  return rule && ruleText(rule);
}

test('parseListing() reads a look-up by class, which is two expressions', () => {
  const text = 'oifname map @class/to != 0x0 0x0 vmap @d/1';
  assert.equal(textOf(compared, lookedUp, { accept: null }), `${text} accept`);
  const others = [
    [lookedUp],
    [compared],
    [compared, { accept: null }, lookedUp],
    [{ match: { ...compared.match, right: '0x7 [invalid type]' } }, lookedUp],
    [{ match: { ...compared.match, op: '==' } }, lookedUp],
    [compared, { vmap: { ...lookedUp.vmap, key: '0x1 [invalid type]' } }],
  ];
  for (const expr of others) assert.match(textOf(...expr) ?? '', /unknown/);
});

test('parseListing() keeps what it does not know, as something never wanted', () => {
  const strange = [
    { match: { op: '<', left: { meta: { key: 'l4proto' } }, right: 6 } },
    { mangle: { key: { meta: { key: 'mark' } }, value: 5 } },
    { masquerade: { flags: 'random' } },
    { log: { prefix: 'x', level: 'info' } },
    { 'tcp option': {} },
    'text',
    null,
  ];
  const { chains } = parseListing(
    listing({ chain: { name: 'a/1' } }, { rule: { chain: 'a/1', expr: strange } }),
  );
  const kinds = chains.get('a/1')?.rules[0]?.statements.map(({ kind }) => kind);
  assert.deepEqual(
    kinds,
    strange.map(() => 'unknown'),
  );
});

test('parseListing() refuses what is not a listing, and survives any JSON', () => {
  for (const text of ['', '[]', '{}', 'null', '{"nftables":1}']) {
    assert.throws(() => parseListing(text), NftablesError);
  }
  const leaf = fc.constantFrom(
    'rule',
    'chain',
    'set',
    'map',
    'elem',
    'expr',
    'match',
    'left',
    'name',
    'concat',
  );
  fc.assert(
    fc.property(fc.array(fc.object({ key: leaf, maxDepth: 5 })), (objects) => {
      parseListing(JSON.stringify({ nftables: objects }));
    }),
    { numRuns: 1000 },
  );
});
