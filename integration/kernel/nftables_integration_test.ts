// The kernel keeps what we tell it, and we read back what it keeps: data → text → kernel → listing → data.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { withNetns } from '@calico/netlink';
import {
  type Chain,
  diff,
  missingFilterFeatures,
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
import { execOk } from '../lab/exec.ts';
import { eventually } from '../lab/wait.ts';
import { rulesets } from './random_rulesets.ts';

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

/** What nft lists, without the numbers that the kernel gives and the order of elements in a hash. */
async function listed(): Promise<unknown> {
  return JSON.parse(await nft('-j', 'list', 'ruleset'), (key, value: unknown) => {
    if (key === 'handle' || key === 'packets' || key === 'bytes') return 0;
    if (key !== 'elem' || !Array.isArray(value)) return value;
    return value.map((one) => JSON.stringify(one)).toSorted();
  });
}

test('what we write and what libnftables writes reads the same', async () => {
  await withTable(async (table) => {
    await fc.assert(
      fc.asyncProperty(rulesets.map(withoutClassRules), async (desired) => {
        const transaction = diff(desired, undefined);
        await table.list();
        await table.commit(transaction);
        const [ours, text] = [await listed(), await nft('list', 'ruleset')];
        await nft('flush', 'ruleset');
        const input = textOf(transaction);
        await execOk(['ip', 'netns', 'exec', NAMESPACE, 'nft', '-f', '-'], { input });
        assert.deepEqual(ours, await listed());
        // Also comments of chains, which are not in the JSON.
        assert.deepEqual(linesOf(text), linesOf(await nft('list', 'ruleset')));
        await nft('flush', 'ruleset');
      }),
      { numRuns: 40 },
    );
  });
});

/** libnftables lists look-ups by classes, but does not read them. */
function withoutClassRules({ chains, sets }: Ruleset): Ruleset {
  const kept = [...chains].map(([name, chain]): [string, Chain] => [
    name,
    { ...chain, rules: chain.rules.filter(isReadable) },
  ]);
  return { chains: new Map(kept), sets };
}

function isReadable({ statements }: Rule): boolean {
  return statements.every(({ kind }) => kind !== 'class-verdict-map');
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => /chain|hook|comment/.test(line));
}

test('100,000 intervals come and go in one transaction each, which nobody takes for that of another', async () => {
  await withTable(async (table, foreign) => {
    const elements = new Map<string, undefined>();
    for (let index = 0; index < 100_000; index++) {
      const [a, b, c] = [index >> 15, (index >> 7) & 255, (index & 127) * 2];
      elements.set(`10.${a}.${b}.${c}`, undefined);
    }
    const key = ['ipv4_addr'] as const;
    const set = { kind: 'set', key, interval: true, elements } as const;
    const wanted: Ruleset = { chains: new Map(), sets: new Map([['nets/1', set]]) };
    await table.list();
    await table.commit(diff(wanted, undefined));
    // On top of what is known: all events of the large transaction do not fit into the queue.
    const more = { ...set, elements: new Map(elements).set('10.255.0.0', undefined) };
    const grown: Ruleset = { chains: new Map(), sets: new Map([['nets/1', more]]) };
    await table.commit(diff(grown, wanted));
    await table.commit(diff(wanted, grown));
    assert.deepEqual(foreign, []);
    assert.deepEqual(diff(wanted, await table.list()), []);
    const emptied: Ruleset = {
      chains: new Map(),
      sets: new Map([['nets/1', { ...set, elements: new Map() }]]),
    };
    await table.commit(diff(emptied, wanted));
    assert.deepEqual(diff(emptied, await table.list()), []);
  });
});

test('commit() refuses when somebody else has changed the table since it was listed', async () => {
  await withTable(async (table, foreign) => {
    const wanted = rulesetOf({ 'a/b': [{ statements: [accept] }] });
    await table.commit(diff(wanted, undefined));
    await nft('flush', 'chain', 'inet', 'calico', 'a/b');
    const more = rulesetOf({ 'a/b': [{ statements: [accept] }], 'c/d': [] });
    await assert.rejects(table.commit(diff(more, wanted)), { name: 'NftablesError' });
    assert.equal(foreign.length, 1);
    await table.commit(diff(more, await table.list()));
    assert.deepEqual(diff(more, await table.list()), []);
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
    await eventually(
      () => foreign.length > 0,
      20_000,
      () => 'a change by somebody else is not reported',
    );
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
    await table.commit([
      { kind: 'add-elements', set: 's/1', key: ['ipv4_addr'], interval: false, elements: [] },
    ]);
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
    timeout: 60_000,
  });
  assert.equal(error, undefined);
  assert.equal(status, 3);
});

test('every feature of the packet filter can be tried, and trying changes nothing', async () => {
  assert.deepEqual(withNetns(PATH, missingFilterFeatures), new Map());
  assert.equal(await nft('list', 'ruleset'), '');
});
