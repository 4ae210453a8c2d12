import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import type { ConnectionTable, Log } from '../../../ports.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import type { ConnectionChange, TrackedConnection } from './connection.ts';
import { ConnectionCutter } from './connection_cutter.ts';

const CUT = 0x10000;
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const [source, destination] = [parseAddress('10.65.0.1'), parseAddress('10.65.0.2')];
const tuple = { protocol: 6, ports: { source: 1, destination: 2 }, icmp: undefined };
const entry: TrackedConnection = {
  original: { ...tuple, source, destination },
  reply: { ...tuple, source: destination, destination: source },
  status: 0,
  mark: 0,
  zone: 0,
  id: 1,
};

function rulesetThat(policy: 'accept' | 'drop'): Ruleset {
  const base = { type: 'filter', hook: 'forward', priority: 0, policy } as const;
  const decide = { statements: [{ kind: 'verdict', verdict: policy } as const], comment: policy };
  return { chains: new Map([['forward', { base, rules: [decide] }]]), sets: new Map() };
}

/** Accepts what comes from these addresses: when they become more, nothing is forbidden. */
function rulesetThatAccepts(...sources: readonly string[]): Ruleset {
  const base = { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' } as const;
  const statements = [
    { kind: 'match', fields: ['ip saddr'], operator: '==', value: '@allowed' },
    { kind: 'verdict', verdict: 'accept' },
  ] as const;
  const elements = new Map(sources.map((text) => [text, undefined]));
  return {
    chains: new Map([['forward', { base, rules: [{ statements, comment: 'allowed' }] }]]),
    sets: new Map([
      ['allowed', { kind: 'set', key: ['ipv4_addr'], interval: false, comment: '', elements }],
    ]),
  };
}

class FakeTable implements ConnectionTable {
  readonly changes: string[] = [];
  looks = 0;
  failures = 0;
  entries: TrackedConnection[] = [entry];
  onList = (): void => {};
  onChange = (): void => {};

  list(): TrackedConnection[] {
    this.onList();
    this.looks += 1;
    if (this.failures-- > 0) throw new Error('Cannot list connections: ENOBUFS');
    return this.entries;
  }

  /** As the kernel does. */
  change(changes: readonly ConnectionChange[]): void {
    this.changes.push(...changes.map(({ kind }) => kind));
    this.onChange();
    for (const { kind, connection } of changes) {
      const others = this.entries.filter(({ id }) => id !== connection.id);
      this.entries =
        kind === 'delete' ? others : [...others, { ...connection, mark: connection.mark | CUT }];
    }
  }

  forget(): void {}

  interfaceOf(): string {
    return 'eth0';
  }
}

function cutterOn(table: FakeTable): { cutter: ConnectionCutter; run: () => Promise<void> } {
  const clock = new FakeClock(0);
  const cutter = new ConnectionCutter({ table, clock, log: silent });
  const run = async (): Promise<void> => {
    const settled = cutter.settled();
    settled.catch(() => {});
    for (let turn = 0; turn < 20; turn++) {
      clock.advance(60_000);
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
    await settled;
  };
  return { cutter, run };
}

test('a ruleset that forbids cuts, one that comes again or is kept does not even look', async () => {
  const table = new FakeTable();
  const { cutter, run } = cutterOn(table);
  cutter.committed(rulesetThat('accept'), CUT);
  await run();
  assert.deepEqual([table.looks, table.changes], [1, []]);
  cutter.committed(rulesetThat('accept'), CUT);
  await run();
  assert.equal(table.looks, 1);
  cutter.committed(rulesetThat('drop'), CUT);
  await run();
  assert.deepEqual([table.looks, table.changes], [2, ['mark']]);
  cutter.committed(rulesetThat('accept'), undefined);
  await run();
  assert.equal(table.looks, 2);
});

test('rulesets that come while a look is awaited share it', async () => {
  const table = new FakeTable();
  const { cutter, run } = cutterOn(table);
  for (const policy of ['accept', 'drop', 'accept', 'drop'] as const) {
    cutter.committed(rulesetThat(policy), CUT);
  }
  await run();
  assert.deepEqual([table.looks, table.changes], [1, ['mark']]);
});

test('settled() rejects when connections cannot be listed, and tries again when it is asked again', async () => {
  const table = new FakeTable();
  table.failures = 1;
  const { cutter, run } = cutterOn(table);
  cutter.committed(rulesetThat('drop'), CUT);
  await assert.rejects(run(), /ENOBUFS/);
  await run();
  assert.deepEqual(table.changes, ['mark']);
});

test('many connections are judged in parts, all of them', async () => {
  const table = new FakeTable();
  table.entries = Array.from({ length: 1_001 }, (_, id) => ({ ...entry, id }));
  const { cutter, run } = cutterOn(table);
  cutter.committed(rulesetThat('drop'), CUT);
  await run();
  assert.equal(table.changes.length, 1_001);
});

test('what was cut is freed when a set grows, and nothing is looked at once nothing is cut', async () => {
  const table = new FakeTable();
  const { cutter, run } = cutterOn(table);
  const allowed = rulesetThatAccepts('10.65.0.1');
  for (const ruleset of [allowed, rulesetThatAccepts(), allowed]) {
    cutter.committed(ruleset, CUT);
    await run();
  }
  assert.deepEqual([table.looks, table.changes], [3, ['mark', 'delete']]);
  cutter.committed(rulesetThatAccepts('10.65.0.1', '10.65.0.9'), CUT);
  await run();
  assert.equal(table.looks, 3);
});

test('what is left of a look is judged by the ruleset that has come meanwhile', async () => {
  const table = new FakeTable();
  table.entries = Array.from({ length: 600 }, (_, id) => ({ ...entry, id }));
  const { cutter, run } = cutterOn(table);
  cutter.committed(rulesetThat('drop'), CUT);
  table.onChange = () => {
    table.onChange = () => {};
    cutter.committed(rulesetThat('accept'), CUT);
  };
  await run();
  const marks = table.changes.filter((kind) => kind === 'mark').length;
  assert.deepEqual([marks, table.changes.length, table.entries.length], [250, 500, 350]);
});

test('settled() does not wait for rulesets that come later', async () => {
  const table = new FakeTable();
  const { cutter, run } = cutterOn(table);
  table.onList = () => {
    if (table.looks < 100) cutter.committed(rulesetThat('drop'), CUT);
  };
  cutter.committed(rulesetThat('drop'), CUT);
  const asked = cutter.settled().then(() => table.looks);
  await run();
  assert.equal(await asked, 1);
  assert.equal(cutter.isSettled, false);
});
