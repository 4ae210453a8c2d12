import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, formatAddress, formatPrefix } from '@calico/ip';
import { path, RibFiller, sequence } from '../../testing/paths.ts';
import { type Random, seededRandom } from '../../testing/simulated_network.ts';
import type { LocRib } from './loc_rib.ts';
import type { Path } from './path.ts';

const PREFIXES = 4;
const SOURCES = 6;
const STEPS = 400;

/** Few values each, so that paths are often equal up to a late rule. */
function randomPath(random: Random, source = Math.floor(random() * SOURCES)): Path {
  const pick = (count: number): number => Math.floor(random() * count);
  const asns = Array.from({ length: 1 + pick(2) }, () => 64_600 + pick(2));
  return path({
    prefix: `10.0.${pick(PREFIXES)}.0/24`,
    from: source === 0 ? 'local' : `192.168.80.${source}`,
    via: `192.168.80.${100 + pick(3)}`,
    isInternal: source % 2 === 0,
    asPath: sequence(...asns),
    multiExitDiscriminator: pick(3),
  });
}

function who({ source }: Path): string {
  return source.kind === 'peer' ? source.peer : 'local';
}

/** Who is best, and who is used beside it. */
function outcomeOf(rib: LocRib): string[] {
  return Array.from(rib.entries(), ({ prefix, best, multipath }) => {
    assert.ok(best);
    return `${formatPrefix(prefix)}: ${who(best)} of ${multipath.map(who).join(' ')}`;
  }).toSorted();
}

/** What it costs to get to a next hop that is there. */
function tellHop({ rib }: RibFiller, nextHop: Address, costs: ReadonlyMap<string, number>): void {
  const { hops } = rib.attributes;
  const number = hops.find(nextHop);
  if (number === undefined) return;
  hops.noteTold(number);
  rib.setReachable(nextHop, true, costs.get(formatAddress(nextHop)) ?? 0);
}

/** Knows what should be there. */
class Model {
  readonly table = new RibFiller();
  readonly #random: Random;
  readonly #paths = new Map<string, Path>();
  readonly #costs = new Map<string, number>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  step(): void {
    const kind = this.#random();
    if (kind < 0.55) this.#put();
    else if (kind < 0.8) this.#remove();
    else if (kind < 0.83) this.#lose();
    else if (kind < 0.87) this.#move();
    else this.table.rib.settle(1 + Math.floor(this.#random() * 3));
  }

  /** The outcome when the paths come in this order into an empty table. */
  anew(): string[] {
    const table = new RibFiller();
    for (const each of this.#paths.values()) {
      table.put(each);
      tellHop(table, each.data.nextHop, this.#costs);
    }
    table.rib.settle();
    return outcomeOf(table.rib);
  }

  #keyOf(route: Path): string {
    return `${this.table.sourceOf(route)} ${formatPrefix(route.prefix)}`;
  }

  #put(): void {
    const route = randomPath(this.#random);
    this.#paths.set(this.#keyOf(route), route);
    this.table.put(route);
    // As the kernel is asked about every next hop that is told.
    tellHop(this.table, route.data.nextHop, this.#costs);
  }

  /** The way to a next hop becomes longer or shorter. */
  #move(): void {
    const { nextHop } = randomPath(this.#random).data;
    this.#costs.set(formatAddress(nextHop), Math.floor(this.#random() * 3));
    tellHop(this.table, nextHop, this.#costs);
  }

  #remove(): void {
    const route = randomPath(this.#random);
    this.#paths.delete(this.#keyOf(route));
    this.table.remove(route);
  }

  /** All of one source at once. */
  #lose(): void {
    const route = randomPath(this.#random);
    const source = this.table.sourceOf(route);
    const { paths } = this.table.rib;
    for (const key of this.#paths.keys()) {
      if (key.startsWith(`${source} `)) this.#paths.delete(key);
    }
    for (let row = 0; row < paths.limit; row++) {
      if (paths.has(row) && paths.sourceOf(row) === source && paths.isUsable(row)) {
        this.table.rib.doom(row);
      }
    }
  }
}

test('the outcome follows from the paths that are there, whatever was there before', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const model = new Model(seed);
    for (let step = 1; step <= STEPS; step++) {
      model.step();
      if (step % 20 !== 0) continue;
      const { rib } = model.table;
      while (rib.isUnsettled) rib.settle(2);
      assert.deepEqual(outcomeOf(rib), model.anew(), `seed ${seed}, step ${step}`);
    }
  }
});
