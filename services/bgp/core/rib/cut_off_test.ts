import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { path, RibFiller } from '../../testing/paths.ts';
import { seededRandom } from '../../testing/simulated_network.ts';
import type { Path } from './path.ts';
import { PathFlag } from './path_table.ts';

const HOPS = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];
const REFUSED = -1;

test('next hops that paths are not used for are known, whatever becomes of the paths', () => {
  const random = seededRandom(11);
  const pick = (count: number): number => Math.floor(random() * count);
  const table = new RibFiller();
  const { rib } = table;
  const { paths, attributes } = rib;
  const { hops } = attributes;
  const rows = (): number[] =>
    Array.from({ length: paths.limit }, (_, row) => row).filter((row) => paths.has(row));
  const step = (): void => {
    const route = path({
      prefix: `10.244.${pick(6)}.0/24`,
      from: `192.168.80.${pick(3)}`,
      via: HOPS[pick(HOPS.length)] as string,
    });
    const row = rows()[pick(rows().length)];
    const kind = pick(7);
    if (kind <= 1) {
      table.put(route);
      hops.noteTold(hops.find(route.data.nextHop) as number);
    } else if (kind === 2) table.remove(route);
    else if (kind === 3) rib.setReachable(route.data.nextHop, random() < 0.3);
    else if (kind === 4 && row !== undefined) {
      rib.judge(row, random() < 0.5 ? REFUSED : paths.receivedOf(row));
    } else if (kind === 5 && random() < 0.1) rib.doomAllOf(table.sourceOf(route));
    else rib.settle(1 + pick(3));
  };
  let seen = 0;
  for (let time = 0; time < 5_000; time++) {
    step();
    const cutOff = rows()
      .filter((row) => paths.is(row, PathFlag.CutOff))
      .map((row) => formatAddress(attributes.nextHopOf(paths.attributesOf(row))));
    const found = Array.from(hops.cutOff(), formatAddress);
    assert.deepEqual(found.toSorted(), [...new Set(cutOff)].toSorted());
    assert.equal(hops.cutOffCount, found.length);
    const prefixes = new Set(rows().map((each) => paths.prefixOf(each)));
    assert.equal(paths.hasRivals, prefixes.size < rows().length);
    seen += found.length;
  }
  assert.ok(seen > 1_000);
  for (const hop of HOPS) rib.setReachable(parseAddress(hop), true);
  rib.settle();
  assert.equal(hops.cutOffCount, 0);
});

test('no path is chosen whose next hop is known to be out of reach, however large the table', () => {
  const table = new RibFiller();
  const { rib } = table;
  const { hops } = rib.attributes;
  const [near, lost] = [HOPS[0] as string, HOPS[1] as string];
  const put = (index: number, via: string, localPreference: number): void => {
    const from = via === near ? '192.168.80.1' : '192.168.80.2';
    table.put(path({ prefix: `10.244.${index}.0/24`, from, via, localPreference }));
    hops.noteTold(hops.find(parseAddress(via)) as number);
  };
  const last = 200;
  for (let index = 0; index <= last; index++) put(index, near, 100);
  rib.settle();
  const best = (): string => {
    const { nextHop } = rib.get(parsePrefix(`10.244.${last}.0/24`))?.best?.data ?? {};
    return nextHop === undefined ? 'none' : formatAddress(nextHop);
  };
  put(last, lost, 200);
  rib.setReachable(parseAddress(lost), false);
  // A walk that does not come to the end of the table.
  assert.deepEqual(rib.settle(1), []);
  assert.equal(best(), near);
  rib.setReachable(parseAddress(lost), true);
  put(0, near, 300);
  put(last, lost, 201);
  rib.settle(2);
  assert.equal(best(), lost);
});

test('a next hop keeps its place while paths are not used for it, whatever is told of them anew', () => {
  const table = new RibFiller();
  const { rib } = table;
  const { hops } = rib.attributes;
  const routes = HOPS.map((via, index) => path({ prefix: `10.244.${index}.0/24`, via }));
  const cutOff = (): string[] => Array.from(hops.cutOff(), formatAddress);
  for (const route of routes) {
    table.put(route);
    hops.noteTold(hops.find(route.data.nextHop) as number);
    rib.setReachable(route.data.nextHop, false);
  }
  rib.settle();
  assert.deepEqual(cutOff(), HOPS);
  // The same, and with other attributes.
  table.put(routes[0] as Path);
  table.put(path({ prefix: '10.244.1.0/24', via: HOPS[1] as string, localPreference: 7 }));
  assert.deepEqual(cutOff(), HOPS);
  // The whole table is gone through again.
  rib.setReachable(parseAddress(HOPS[2] as string), true);
  rib.settle();
  assert.deepEqual(cutOff(), [HOPS[0], HOPS[1], HOPS[3]]);
  rib.setReachable(parseAddress(HOPS[2] as string), false);
  rib.settle();
  assert.deepEqual(cutOff(), [HOPS[0], HOPS[1], HOPS[3], HOPS[2]]);
});
