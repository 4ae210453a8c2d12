// The kernel keeps what we tell it, and we read back what it keeps: data → text → kernel → listing → data.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { systemLibc, withNetns } from '@calico/netlink';
import {
  type Chain,
  diff,
  type Nftables,
  NftablesError,
  openNftables,
  type Rule,
  type Ruleset,
  type Statement,
  type Transaction,
  transactionText,
} from '@calico/nftables';
import * as fc from 'fast-check';
import { isElementsOnly } from '../../packages/nftables/element_messages.ts';
import { ElementSocket } from '../../packages/nftables/element_socket.ts';
import { execOk } from '../lab/exec.ts';
import { hashElements, rulesets } from './random_rulesets.ts';

const NAMESPACE = `nft-${randomBytes(3).toString('hex')}`;
const PATH = `/run/netns/${NAMESPACE}`;

before(() => execOk(['ip', 'netns', 'add', NAMESPACE]));
after(() => execOk(['ip', 'netns', 'del', NAMESPACE]));

function nft(...words: string[]): Promise<string> {
  return execOk(['ip', 'netns', 'exec', NAMESPACE, 'nft', ...words]);
}

async function withTable<T>(work: (table: Nftables, foreign: string[]) => Promise<T>): Promise<T> {
  const foreign: string[] = [];
  const table = openNftables({
    table: 'calico',
    netns: PATH,
    onForeignChange: ({ detail }) => foreign.push(detail),
  });
  try {
    return await work(table, foreign);
  } finally {
    await table.close();
    await nft('flush', 'ruleset');
  }
}

const textOf = (transaction: Transaction): string => transactionText('calico', transaction);
const accept: Statement = { kind: 'verdict', verdict: 'accept' };

function rulesetOf(chains: Record<string, readonly Rule[]>): Ruleset {
  const entries = Object.entries(chains).map(([name, rules]): [string, Chain] => [name, { rules }]);
  return { chains: new Map(entries), sets: new Map() };
}

test('from any ruleset to any ruleset in one transaction, and read back the same', async () => {
  await withTable(async (table, foreign) => {
    await fc.assert(
      fc.asyncProperty(rulesets, async (desired) => {
        const actual = await table.list();
        await table.commit(diff(desired, actual));
        const found = await table.list();
        assert.equal(textOf(diff(desired, found)), '');
      }),
      { numRuns: 150 },
    );
    assert.deepEqual(foreign, []);
  });
});

test('elements are changed by messages of our own, without libnftables', async () => {
  await withTable(async (table) => {
    const socket = withNetns(PATH, () => new ElementSocket(systemLibc()));
    let actual = rulesetOf({});
    await table.commit(diff(actual, undefined));
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(hashElements, async (desired) => {
        const transaction = diff(desired, actual);
        if (isElementsOnly(transaction) && transaction.length > 0) {
          socket.commit('calico', transaction);
          changes++;
        } else await table.commit(transaction);
        actual = desired;
        assert.equal(textOf(diff(desired, await table.list())), '');
      }),
      { numRuns: 100 },
    );
    assert.ok(changes > 90);
    const missing = diff({ ...actual, sets: new Map() }, actual);
    assert.ok(!isElementsOnly(missing));
    assert.throws(
      () =>
        socket.commit('calico', [
          {
            kind: 'add-elements',
            set: 'set/ip4',
            key: ['ipv4_addr'],
            interval: false,
            elements: [['10.9.9.9', undefined]],
          },
          {
            kind: 'add-elements',
            set: 'no/such',
            key: ['ipv4_addr'],
            interval: false,
            elements: [['10.9.9.9', undefined]],
          },
        ]),
      { name: 'NftablesError', message: 'Cannot change elements: ENOENT' },
    );
    assert.equal(textOf(diff(actual, await table.list())), '');
    socket.close();
  });
});

test('list() knows no table before the first commit', async () => {
  await withTable(async (table) => {
    await nft('add', 'table', 'inet', 'other');
    assert.equal(await table.list(), undefined);
    await table.commit(diff(rulesetOf({ 'a/b': [] }), undefined));
    assert.deepEqual([...((await table.list())?.chains.keys() ?? [])], ['a/b']);
  });
});

test('commit() takes effect as a whole or not at all', async () => {
  await withTable(async (table, foreign) => {
    const wanted = rulesetOf({ 'a/b': [{ statements: [accept] }] });
    await table.commit(diff(wanted, undefined));
    const broken = rulesetOf({
      'a/b': [],
      'c/d': [{ statements: [{ kind: 'verdict', verdict: 'jump no/where' }] }],
    });
    await assert.rejects(table.commit(diff(broken, wanted)), NftablesError);
    assert.deepEqual(diff(wanted, await table.list()), []);
    assert.deepEqual(foreign, []);
  });
});

test('a change by somebody else is reported once, ours and that of other tables never', async () => {
  await withTable(async (table, foreign) => {
    const wanted = rulesetOf({ 'a/b': [{ statements: [accept], comment: 'first' }] });
    await table.commit(diff(wanted, undefined));
    await nft('add', 'table', 'inet', 'other');
    await nft('add', 'chain', 'inet', 'other', 'x');
    await nft('add', 'table', 'ip', 'calico');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(foreign, []);

    await nft('flush', 'chain', 'inet', 'calico', 'a/b');
    for (let i = 0; i < 100 && foreign.length === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(foreign.length, 1);
    assert.match(foreign[0] ?? '', /^changed by process \d+ \(nft\)$/);

    await table.commit(diff(wanted, await table.list()));
    assert.deepEqual(diff(wanted, await table.list()), []);
    await nft('delete', 'table', 'inet', 'calico');
    await table.commit(diff(wanted, await table.list()));
    assert.equal(foreign.length, 2);
  });
});

test('a foreign rule, set or chain of another kind is seen and repaired', async () => {
  await withTable(async (table) => {
    const wanted: Ruleset = {
      chains: new Map<string, Chain>([
        [
          'forward',
          {
            base: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
            rules: [{ statements: [accept], comment: 'all' }],
          },
        ],
      ]),
      sets: new Map([
        [
          's/1',
          {
            kind: 'set',
            key: ['ipv4_addr'],
            interval: false,
            elements: new Map([['10.0.0.1', undefined]]),
          },
        ],
      ]),
    };
    await table.commit(diff(wanted, undefined));
    const vandalism = [
      'add rule inet calico forward ct mark 7 accept',
      'insert rule inet calico forward tcp flags syn drop',
      'add element inet calico s/1 { 10.0.0.2 }',
      'delete element inet calico s/1 { 10.0.0.1 }',
      'add chain inet calico mine; add rule inet calico mine jump mine2; add chain inet calico mine2',
      'add chain inet calico forward { policy drop; }',
      'delete set inet calico s/1; add set inet calico s/1 { type ipv6_addr; }',
      'delete table inet calico',
    ];
    for (const change of vandalism) {
      await nft(change.replace('jump mine2;', 'accept;'));
      const found = await table.list();
      assert.notDeepEqual(diff(wanted, found), [], change);
      await table.commit(diff(wanted, found));
      assert.deepEqual(diff(wanted, await table.list()), [], change);
    }
  });
});

test('no commands are no transaction', async () => {
  await withTable(async (table) => {
    await table.commit([]);
    assert.equal(await table.list(), undefined);
  });
});

/** Arguments with which this runtime runs a text. */
const EVALUATE = 'Deno' in globalThis ? ['eval', '--quiet'] : ['--input-type=module', '-e'];

test('a watched table does not hold up the end of its process', () => {
  const program = `import { openNftables } from '@calico/nftables';
    openNftables({ table: 'calico', netns: '${PATH}', onForeignChange() {} });
    setTimeout(() => process.exit(3), 200);`;
  const { status, error } = spawnSync(process.execPath, [...EVALUATE, program], {
    cwd: import.meta.dirname,
    timeout: 10_000,
  });
  assert.equal(error, undefined);
  assert.equal(status, 3);
});
