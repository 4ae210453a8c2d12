import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { comparePrefixes, formatPrefix, type Prefix, parseAddress } from '@calico/ip';
import { Turns } from '../core/host/turns.ts';
import { path, RibFiller } from '../testing/paths.ts';
import { inTurns, lookUp, pageOf, rowsOf } from './route_pages.ts';
import { locRib, type RouteTable } from './route_tables.ts';

const COUNT = 20_000;

/** A table of so many routes, and of which prefixes rows were made. */
function fixture() {
  const filler = new RibFiller();
  for (let at = COUNT - 1; at >= 0; at--) {
    filler.put(path({ prefix: `20.${at >> 8}.${at & 255}.0/24`, from: '192.168.80.101' }));
  }
  filler.put(path({ prefix: '20.0.0.0/8', from: '192.168.80.101' }));
  while (filler.rib.isUnsettled) filler.rib.settle(COUNT);
  const { prefixes } = filler.rib;
  const whole = locRib(filler.rib);
  const made: number[] = [];
  const table: RouteTable = {
    has: whole.has,
    rowsOf: (id) => {
      made.push(id);
      return whole.rowsOf(id);
    },
  };
  return { prefixes, table, made };
}

/** As if each look at the clock took a whole turn. */
class SlowClock extends FakeClock {
  #looks = 0;

  override monotonic(): number {
    this.#looks += 1;
    return 8 * this.#looks;
  }
}

function notYet(): Promise<boolean> {
  return new Promise((resolve) => setImmediate(() => resolve(false)));
}

const SIGNAL = new AbortController().signal;

function quick() {
  return inTurns(new Turns(new FakeClock(0)), SIGNAL);
}

function slow(signal = SIGNAL) {
  const ends: (() => void)[] = [];
  const goesOn = inTurns(new Turns(new SlowClock(0), (end) => ends.push(end)), signal);
  /** Ends turns until the work is done; how many it took. */
  const finish = async (work: Promise<unknown>): Promise<number> => {
    const done = work.then(() => true);
    let turns = 0;
    while (!(await Promise.race([done, notYet()]))) {
      for (const end of ends.splice(0)) {
        turns += 1;
        end();
      }
    }
    return turns;
  };
  return { goesOn, finish };
}

test('a lookup makes no rows but those of its answer, and walks over nothing', () => {
  const { prefixes, table, made } = fixture();
  const find = (address: string): string[] =>
    lookUp(prefixes, table, parseAddress(address)).map(({ prefix }) => formatPrefix(prefix));
  assert.deepEqual(find('20.3.4.5'), ['20.3.4.0/24']);
  assert.equal(made.length, 1);
  assert.deepEqual(find('20.200.0.1'), ['20.0.0.0/8']);
  assert.equal(made.length, 2);
  assert.deepEqual(find('21.0.0.1'), []);
  assert.equal(made.length, 2);
});

test('pages have every route once, in order, and make rows of no others', async () => {
  const { prefixes, table, made } = fixture();
  const found: Prefix[] = [];
  let after: Prefix | undefined;
  for (let isLast = false; !isLast; ) {
    const page = await pageOf(prefixes, table, { after }, 3_000, quick());
    assert.ok(page.rows.length <= 3_000);
    found.push(...page.rows.map(({ prefix }) => prefix));
    assert.equal(made.length, found.length);
    after = found.at(-1);
    isLast = page.isLast;
  }
  assert.equal(found.length, COUNT + 1);
  assert.deepEqual(found, found.toSorted(comparePrefixes));
});

test('a walk gives up its turns, also where it finds nothing', async () => {
  const { prefixes, table } = fixture();
  const { goesOn, finish } = slow();
  const nothing: RouteTable = { ...table, has: () => false };
  assert.ok((await finish(pageOf(prefixes, nothing, {}, 10, goesOn))) > 0);
  assert.ok((await finish(Array.fromAsync(rowsOf(prefixes, nothing, {}, goesOn)))) > 0);
});

test('a walk ends soon after its call is cancelled', async () => {
  const { prefixes, table, made } = fixture();
  const abort = new AbortController();
  const { goesOn, finish } = slow(abort.signal);
  const rows = rowsOf(prefixes, table, {}, goesOn);
  await rows.next();
  abort.abort();
  await finish(Array.fromAsync(rows));
  assert.equal(made.length, 1);
  let looks = 0;
  const has = (id: number): boolean => {
    looks += 1;
    return table.has(id);
  };
  await finish(pageOf(prefixes, { ...table, has }, {}, 10, goesOn));
  assert.ok(looks < COUNT, `looked at ${looks} prefixes`);
});
