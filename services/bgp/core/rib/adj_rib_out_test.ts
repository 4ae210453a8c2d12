import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_CONTEXT,
  decodeMessage,
  MessageFramer,
  type Update,
  type WireContext,
} from '@calico/bgp-wire';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { AdjRibOut, type Change } from './adj_rib_out.ts';
import { AttributeTable } from './attribute_table.ts';
import { Reader } from './out_reader.ts';
import { PrefixTable } from './prefix_table.ts';
import { ToldSets } from './told_sets.ts';

const [FEEDER, OTHER, ALONE] = [1, 2, 9];

class Fixture {
  readonly prefixes = new PrefixTable();
  readonly attributes = new AttributeTable();
  readonly context: WireContext;
  readonly out: AdjRibOut;

  /** @param far see AdjRibOut */
  constructor(context: WireContext = DEFAULT_CONTEXT, far?: number) {
    this.context = context;
    this.out = new AdjRibOut(this.prefixes, new ToldSets(this.attributes), context, far);
  }

  join(source = ALONE): Reader {
    const reader = new Reader(source);
    this.out.join(reader);
    return reader;
  }

  attributesOf(localPreference: number): number {
    const attributes = { origin: 0 as const, asPath: [], localPreference };
    return this.attributes.intern({ attributes, nextHop: parseAddress('192.168.80.100') });
  }

  /** @param localPreference undefined withdraws */
  set(text: string, localPreference: number | undefined, source = FEEDER): void {
    const prefix = this.prefixes.intern(parsePrefix(text));
    const attributes = localPreference === undefined ? -1 : this.attributesOf(localPreference);
    this.out.set(prefix, attributes, source);
    if (attributes >= 0) this.attributes.release(attributes);
    this.prefixes.release(prefix);
  }

  read(reader: Reader, limit = 100): string[] {
    const bytes = this.out.read(reader, limit);
    return bytes === undefined ? [] : describe(bytes, this.context);
  }
}

/** These readers part with the others. @param rows so many are copied at once */
function fork(out: AdjRibOut, readers: readonly Reader[], rows = 3): AdjRibOut {
  const copy = out.beginFork();
  for (let row = 0; row < out.forkEnd; row += rows) out.copyTo(copy, row, row + rows);
  out.moveTo(copy, readers);
  return copy;
}

function list(items: Update['announced']): string {
  return items
    .map(({ prefix, pathId }) => formatPrefix(prefix) + (pathId === undefined ? '' : `#${pathId}`))
    .join(' ');
}

function describe(bytes: Uint8Array, context: WireContext): string[] {
  const framer = new MessageFramer();
  framer.push(bytes);
  const lines: string[] = [];
  for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
    const update = decodeMessage(frame, context) as Update;
    assert.deepEqual(update.problems, []);
    const { withdrawn, announced, attributes } = update;
    if (withdrawn.length > 0) lines.push(`- ${list(withdrawn)}`);
    if (announced.length > 0) lines.push(`${attributes.localPreference} ${list(announced)}`);
  }
  return lines;
}

test('read() writes withdrawals first and groups by attributes', () => {
  const fixture = new Fixture();
  const reader = fixture.join();
  fixture.set('10.9.0.0/16', 1);
  assert.deepEqual(fixture.read(reader), ['1 10.9.0.0/16']);
  fixture.set('10.1.0.0/16', 100);
  fixture.set('10.2.0.0/16', 200);
  fixture.set('10.3.0.0/16', 100);
  fixture.set('10.9.0.0/16', undefined);
  assert.deepEqual(fixture.read(reader), [
    '- 10.9.0.0/16',
    '100 10.1.0.0/16 10.3.0.0/16',
    '200 10.2.0.0/16',
  ]);
  assert.ok(fixture.out.isAtEnd(reader));
  assert.equal(fixture.out.size, 3);
  assert.equal(fixture.attributes.size, 2);
  assert.equal(fixture.prefixes.size, 3);
});

test('a newer change takes the place of an unsent one', () => {
  const fixture = new Fixture();
  const reader = fixture.join();
  fixture.set('10.1.0.0/16', 1);
  fixture.set('10.1.0.0/16', 2);
  assert.deepEqual(fixture.read(reader), ['2 10.1.0.0/16']);
  fixture.set('10.1.0.0/16', 2);
  assert.ok(fixture.out.isAtEnd(reader), 'what is as before is not told again');
});

test('read() keeps to its limit and repeat() tells everything again', () => {
  const fixture = new Fixture();
  const reader = fixture.join();
  for (let index = 0; index < 10; index++) fixture.set(`10.${index}.0.0/16`, 1);
  assert.equal(fixture.read(reader, 4)[0]?.split(' ').length, 5);
  assert.ok(!fixture.out.isAtEnd(reader));
  assert.equal([...fixture.out.entries(reader)].length, 4);
  assert.equal(fixture.read(reader)[0]?.split(' ').length, 7);
  fixture.out.repeat(reader);
  assert.equal(fixture.read(reader)[0]?.split(' ').length, 11);
});

test('nobody is told what it said itself, and forgets what another has told it before', () => {
  const fixture = new Fixture();
  const [feeder, other] = [fixture.join(FEEDER), fixture.join(OTHER)];
  fixture.set('10.1.0.0/16', 1, FEEDER);
  assert.deepEqual(fixture.read(feeder), []);
  assert.deepEqual(fixture.read(other), ['1 10.1.0.0/16']);
  fixture.set('10.1.0.0/16', 2, OTHER);
  assert.deepEqual(fixture.read(feeder), ['2 10.1.0.0/16']);
  assert.deepEqual(fixture.read(other), ['- 10.1.0.0/16']);
  assert.deepEqual([fixture.out.countFor(feeder), fixture.out.countFor(other)], [1, 0]);
  fixture.set('10.1.0.0/16', undefined);
  assert.deepEqual(fixture.read(feeder), ['- 10.1.0.0/16']);
});

test('a slow reader is told what is so now, and holds nobody up', () => {
  const fixture = new Fixture();
  const [slow, quick] = [fixture.join(1), fixture.join(2)];
  for (let round = 1; round <= 200; round++) {
    fixture.set('10.1.0.0/16', round, 3);
    fixture.set('10.2.0.0/16', round % 2 === 0 ? undefined : round, 3);
    assert.notDeepEqual(fixture.read(quick), []);
  }
  assert.deepEqual(fixture.read(slow).at(-1), '200 10.1.0.0/16');
  while (!fixture.out.isAtEnd(slow)) fixture.read(slow);
  assert.equal(fixture.prefixes.size, 1, 'what is gone is forgotten when all know');
});

test('what is gone is not told to who comes when messages are kept', () => {
  const fixture = new Fixture();
  const [stays, leaves] = [fixture.join(7), fixture.join(8)];
  for (let index = 0; index < 4; index++) fixture.set(`10.${index}.0.0/16`, 1);
  fixture.read(stays, 2);
  fixture.out.leave(leaves);
  fixture.set('10.0.0.0/16', undefined);
  fixture.set('10.9.0.0/16', 1);
  fixture.read(stays, 3);
  assert.ok(!fixture.out.isAtEnd(stays));
  assert.equal(fixture.prefixes.size, 4, 'the withdrawn one is forgotten');
  assert.deepEqual(fixture.read(fixture.join(9)), [
    '1 10.1.0.0/16 10.2.0.0/16 10.3.0.0/16 10.9.0.0/16',
  ]);
});

/** A number below what is given. */
function randomFrom(seed: number): (below: number) => number {
  const state = { seed };
  return (below) => {
    state.seed = (Math.imul(state.seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state.seed / 2 ** 32) * below);
  };
}

/** What readers know by the messages that they got: local preferences by prefix. */
class Told {
  readonly #tables = new Map<Reader, Map<string, string>>();

  follow(reader: Reader, lines: readonly string[]): void {
    const table = this.of(reader);
    for (const line of lines) {
      const [what = '', ...prefixes] = line.split(' ');
      for (const prefix of prefixes) {
        if (what === '-') table.delete(prefix);
        else table.set(prefix, what);
      }
    }
  }

  of(reader: Reader): Map<string, string> {
    const table = this.#tables.get(reader) ?? new Map<string, string>();
    this.#tables.set(reader, table);
    return table;
  }
}

test('readers that come and go, at any place, end up with the same', () => {
  for (let seed = 1; seed <= 25; seed++) {
    const fixture = new Fixture(DEFAULT_CONTEXT, seed % 2 === 0 ? seed : undefined);
    const told = new Told();
    const random = randomFrom(seed);
    const readers: Reader[] = [];
    for (let step = 0; step < 200; step++) {
      if (readers.length < 4 && random(20) === 0) readers.push(fixture.join(random(4)));
      if (random(30) === 0)
        for (const each of readers.splice(random(4), 1)) fixture.out.leave(each);
      const withdraws = random(3) === 0;
      fixture.set(`10.${random(40)}.0.0/16`, withdraws ? undefined : random(5), random(4));
      // The one reads seldom.
      for (const [index, reader] of readers.entries()) {
        if (random(index === 0 ? 40 : 4) > 0) continue;
        if (random(20) === 0) fixture.out.repeat(reader);
        told.follow(reader, fixture.read(reader, 1 + random(8)));
      }
    }
    for (const reader of readers) {
      while (!fixture.out.isAtEnd(reader)) told.follow(reader, fixture.read(reader));
      const expected = [...fixture.out.entries(reader)].map(({ prefix, data }) =>
        [formatPrefix(prefix), data.attributes.localPreference].join(),
      );
      const table = [...told.of(reader)].map((pair) => pair.join());
      assert.deepEqual(table.toSorted(), expected.toSorted());
      assert.equal(fixture.out.countFor(reader), expected.length);
    }
    assert.equal(fixture.prefixes.size, fixture.out.size, `seed ${seed}: holds what is gone`);
  }
});

test('a fork takes readers along with what they know', () => {
  const fixture = new Fixture();
  const [stays, goes] = [fixture.join(7), fixture.join(8)];
  for (let index = 0; index < 4; index++) fixture.set(`10.${index}.0.0/16`, 1);
  fixture.read(goes, 3);
  const other = fork(fixture.out, [goes]);
  assert.equal(fixture.out.readerCount, 1);
  assert.deepEqual(describe(other.read(goes, 100) ?? new Uint8Array(0), DEFAULT_CONTEXT), [
    '1 10.3.0.0/16',
  ]);
  assert.equal(fixture.read(stays)[0], '1 10.0.0.0/16 10.1.0.0/16 10.2.0.0/16', 'written for both');
  assert.deepEqual(fixture.read(stays), ['1 10.3.0.0/16']);
  while (other.drain(2));
  fixture.out.leave(stays);
  while (fixture.out.drain(2));
  assert.deepEqual([fixture.prefixes.size, fixture.attributes.size], [0, 0]);
});

test('setAll() tells several paths of a prefix by their identifiers', () => {
  const fixture = new Fixture({ ...DEFAULT_CONTEXT, addPath: [4] });
  const reader = fixture.join();
  const prefix = fixture.prefixes.intern(parsePrefix('10.1.0.0/16'));
  const [one, two] = [fixture.attributesOf(1), fixture.attributesOf(2)];
  fixture.out.setAll(prefix, [
    { path: 5, attributes: one, source: FEEDER },
    { path: 6, attributes: two, source: OTHER },
  ]);
  assert.deepEqual(fixture.read(reader), ['1 10.1.0.0/16#1', '2 10.1.0.0/16#2']);
  fixture.out.setAll(prefix, [{ path: 6, attributes: one, source: OTHER }]);
  assert.deepEqual(fixture.read(reader), ['1 10.1.0.0/16#2', '- 10.1.0.0/16#1']);
  fixture.out.setAll(prefix, []);
  assert.deepEqual(fixture.read(reader), ['- 10.1.0.0/16#2']);
});

function change(path: number, attributes: number): Change {
  return { path, attributes, source: FEEDER };
}

test('a fork leaves paths the identifiers that they were told by', () => {
  const context = { ...DEFAULT_CONTEXT, addPath: [4] } as const;
  const fixture = new Fixture(context);
  const [stays, goes] = [fixture.join(7), fixture.join(8)];
  const prefix = fixture.prefixes.intern(parsePrefix('10.1.0.0/16'));
  const [one, two, three] = [1, 2, 3].map((preference) => fixture.attributesOf(preference)) as [
    number,
    number,
    number,
  ];
  fixture.out.setAll(prefix, [change(5, one), change(6, two), change(7, three)]);
  for (const reader of [stays, goes]) fixture.read(reader);
  // The order of changes is no longer that of the identifiers, and one of them is free.
  fixture.out.setAll(prefix, [change(5, two), change(7, three)]);
  for (const reader of [stays, goes]) fixture.read(reader);
  const other = fork(fixture.out, [goes]);
  const lines = (): string[] => describe(other.read(goes, 100) ?? new Uint8Array(0), context);
  assert.deepEqual(lines(), []);
  other.setAll(prefix, [change(7, three)]);
  assert.deepEqual(lines(), ['- 10.1.0.0/16#1']);
  other.setAll(prefix, [change(7, three), change(8, one), change(9, two)]);
  assert.deepEqual(lines(), ['1 10.1.0.0/16#1', '2 10.1.0.0/16#2']);
  other.setAll(prefix, [change(8, one)]);
  assert.deepEqual(lines(), ['- 10.1.0.0/16#2 10.1.0.0/16#3']);
  fixture.out.setAll(prefix, []);
  assert.deepEqual(fixture.read(stays), ['- 10.1.0.0/16#3 10.1.0.0/16#1']);
});

test('readers of several paths that part, at any place, end up with what is theirs', () => {
  for (let seed = 1; seed <= 25; seed++) {
    const far = seed % 2 === 0 ? seed : undefined;
    const fixture = new Fixture({ ...DEFAULT_CONTEXT, addPath: [4] }, far);
    const told = new Told();
    const random = randomFrom(seed);
    const tables = [{ out: fixture.out, readers: [0, 1, 2].map((source) => fixture.join(source)) }];
    const read = (out: AdjRibOut, reader: Reader, limit: number): void => {
      const bytes = out.read(reader, limit);
      if (bytes !== undefined) told.follow(reader, describe(bytes, fixture.context));
    };
    for (let step = 0; step < 200; step++) {
      const table = tables[random(tables.length)] as (typeof tables)[0];
      const prefix = fixture.prefixes.intern(parsePrefix(`10.${random(10)}.0.0/16`));
      const paths = [0, 1, 2, 3].filter(() => random(2) === 0);
      const changes = paths.map((path) => ({
        path,
        attributes: fixture.attributesOf(random(5)),
        source: random(4),
      }));
      table.out.setAll(prefix, changes);
      for (const { attributes } of changes) fixture.attributes.release(attributes);
      fixture.prefixes.release(prefix);
      for (const reader of table.readers) {
        if (random(reader.source === 0 ? 40 : 3) === 0) read(table.out, reader, 1 + random(8));
      }
      if (random(10) === 0) table.out.reclaim(random(4));
      if (table.readers.length === 1 || random(40) > 0) continue;
      const readers = table.readers.splice(random(2), 1);
      tables.push({ out: fork(table.out, readers, 1 + random(20)), readers });
    }
    for (const { out, readers } of tables) {
      for (const reader of readers) {
        while (!out.isAtEnd(reader)) read(out, reader, 100);
        const expected = [...out.entries(reader)].map(({ prefix, data }) =>
          [formatPrefix(prefix), data.attributes.localPreference].join(),
        );
        const known = [...told.of(reader)].map(([path, preference]) =>
          [path.split('#')[0], preference].join(),
        );
        assert.deepEqual(known.toSorted(), expected.toSorted(), `seed ${seed}`);
      }
    }
  }
});

test('a slow reader of several paths costs nothing per change', () => {
  const fixture = new Fixture({ ...DEFAULT_CONTEXT, addPath: [4] });
  const [slow, quick] = [fixture.join(7), fixture.join(8)];
  const prefix = fixture.prefixes.intern(parsePrefix('10.1.0.0/16'));
  const attributes = fixture.attributesOf(1);
  for (let path = 1; path <= 50; path++) {
    fixture.out.setAll(prefix, [{ path, attributes, source: FEEDER }]);
    assert.deepEqual(fixture.read(quick), ['1 10.1.0.0/16#1']);
    fixture.out.setAll(prefix, []);
    assert.deepEqual(fixture.read(quick), ['- 10.1.0.0/16#1']);
  }
  assert.deepEqual(fixture.read(slow), ['- 10.1.0.0/16#1']);
  assert.ok(fixture.out.isAtEnd(slow));
});

test('what nobody was told is forgotten when it goes, also among several paths', () => {
  const fixture = new Fixture({ ...DEFAULT_CONTEXT, addPath: [4] });
  const stuck = fixture.join();
  fixture.set('10.1.0.0/16', 1);
  fixture.read(stuck);
  for (let index = 2; index < 200; index++) {
    fixture.set(`10.${index}.0.0/16`, 1);
    fixture.set(`10.${index}.0.0/16`, 2);
    fixture.set(`10.${index}.0.0/16`, undefined);
  }
  assert.equal(fixture.prefixes.size, 1);
  const prefix = fixture.prefixes.intern(parsePrefix('10.1.0.0/16'));
  const [one, two] = [fixture.attributesOf(1), fixture.attributesOf(2)];
  for (let path = 5; path < 50; path++) {
    fixture.out.setAll(prefix, [change(path, one), change(path + 1, two)]);
  }
  assert.deepEqual(fixture.read(stuck), ['1 10.1.0.0/16#1', '2 10.1.0.0/16#2']);
});

test('a reader that others leave far behind costs what it was told, however much comes and goes', () => {
  const fixture = new Fixture(DEFAULT_CONTEXT, 8);
  const [stuck, slow, quick] = [fixture.join(7), fixture.join(8), fixture.join(9)];
  const follow = (reader: Reader): string[] => {
    const lines: string[] = [];
    while (!fixture.out.isAtEnd(reader)) lines.push(...fixture.read(reader));
    return lines;
  };
  for (let index = 0; index < 3; index++) fixture.set(`10.0.${index}.0/24`, 1);
  for (const reader of [stuck, slow, quick]) follow(reader);
  const highest = { prefixes: 0 };
  for (let index = 0; index < 3000; index++) {
    const text = `10.${1 + (index >> 8)}.${index & 255}.0/24`;
    fixture.set(text, 1);
    follow(quick);
    if (index % 500 === 0) follow(slow);
    fixture.set(text, undefined);
    follow(quick);
    if (index === 1500) fixture.set('10.0.1.0/24', undefined);
    highest.prefixes = Math.max(highest.prefixes, fixture.prefixes.size);
  }
  assert.ok(highest.prefixes < 40, `${highest.prefixes} prefixes were held`);
  fixture.set('10.0.2.0/24', undefined);
  const lines = follow(stuck);
  assert.ok(lines.join(' ').includes('10.0.1.0/24'), 'it is told that what it knows is gone');
  assert.ok(lines.every((line) => line.startsWith('- ')));
  for (const reader of [slow, quick]) follow(reader);
  assert.deepEqual([fixture.prefixes.size, fixture.out.size], [1, 1]);
});

test('a reader that is left behind may go, or part with others', () => {
  for (const parts of [false, true]) {
    const fixture = new Fixture(DEFAULT_CONTEXT, 4);
    const [stuck, quick] = [fixture.join(7), fixture.join(8)];
    for (let index = 0; index < 20; index++) fixture.set(`10.${index}.0.0/16`, 1);
    fixture.read(stuck);
    fixture.read(quick);
    for (let index = 0; index < 20; index++) {
      fixture.set(`10.${index}.0.0/16`, undefined);
      fixture.read(quick);
    }
    assert.equal(fixture.prefixes.size, 20);
    if (parts) {
      const other = fork(fixture.out, [stuck]);
      const lines = describe(other.read(stuck, 100) ?? new Uint8Array(0), DEFAULT_CONTEXT);
      assert.equal(lines.join().split(' ').length, 21);
    } else {
      fixture.out.leave(stuck);
    }
    fixture.out.reclaim();
    assert.equal(fixture.prefixes.size, 0);
  }
});

test('what was kept for a reader is let go in slices once it has left', () => {
  const fixture = new Fixture();
  const [stuck, quick] = [fixture.join(7), fixture.join(8)];
  const texts = Array.from({ length: 20_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`);
  for (const text of texts) fixture.set(text, 1);
  for (const reader of [stuck, quick]) fixture.read(reader, texts.length);
  for (const text of texts) fixture.set(text, undefined);
  fixture.read(quick, texts.length);
  assert.equal(fixture.out.reclaim(), false, 'one is yet to hear of them');
  assert.equal(fixture.prefixes.size, texts.length);
  fixture.out.leave(stuck);
  const left = [fixture.prefixes.size];
  while (fixture.out.reclaim(5_000)) left.push(fixture.prefixes.size);
  assert.deepEqual(left, [20_000, 15_000, 10_000, 5_000]);
  assert.equal(fixture.prefixes.size, 0);
});
