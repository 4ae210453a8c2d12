// What the routing table wants, and a kernel that gets it.
import { parsePrefix } from '@calico/ip';
import type { IPPool } from '@calico/model';
import { REMOVE_ANYTHING } from '../core/kernel/changes.ts';
import { KernelSync } from '../core/kernel/kernel_sync.ts';
import { blockTexts, type PlanInputs } from '../core/kernel/route_plan.ts';
import { FakeKernel } from './fake_kernel.ts';
import { type PathFields, path, RibFiller } from './paths.ts';
import { pool } from './resources.ts';

export const NOTHING_MORE = {
  services: [],
  aggregates: [],
  statics: [],
  programs: { noEncapsulation: true, ipip: true },
};
export const SUBNET = { 4: parsePrefix('192.168.80.0/24'), 6: undefined };

export class Fixture {
  readonly kernel = new FakeKernel();
  readonly table = new RibFiller();
  readonly repaired: string[] = [];
  repairedCount = 0;
  settledCount = 0;
  /** Routes written or removed that lead to next hops or peers. */
  wayCount = 0;
  onSettled: () => void = () => {};
  /** Calls back when others have had their turn. */
  defer: (callback: () => void) => void = (callback) => callback();
  readonly sync = new KernelSync(this.kernel, this.table.rib, {
    defer: (callback) => this.defer(callback),
    onNextHop: () => {},
    onWay: () => {
      this.wayCount += 1;
    },
    onRepaired: (routes, count) => {
      this.repaired.push(...routes);
      this.repairedCount += count;
    },
    onSettled: () => {
      this.settledCount += 1;
      this.onSettled();
    },
  });
  more: Partial<PlanInputs> = {};

  constructor(spec: Readonly<Record<string, unknown>> = {}, ownBlocks: readonly string[] = []) {
    this.configure(spec, ownBlocks);
    this.sync.allowRemoval(REMOVE_ANYTHING);
  }

  configure(spec: Readonly<Record<string, unknown>>, ownBlocks: readonly string[] = []): void {
    const resource = pool('10.244.0.0/16', spec) as IPPool;
    this.sync.configure({
      pools: [{ prefix: parsePrefix(resource.spec.cidr), pool: resource }],
      subnet: SUBNET,
      ...NOTHING_MORE,
      ...this.more,
      ownBlocks: blockTexts(ownBlocks.map((text) => parsePrefix(text))),
    });
  }

  learn(...routes: PathFields[]): this {
    for (const fields of routes) this.table.put(path(fields));
    return this.settle();
  }

  settle(): this {
    const { rib } = this.table;
    this.sync.update({ prefixes: rib.settle(), isLosing: rib.isLosing });
    return this;
  }
}

/** A kernel that works when it is told to. */
export function heldBack(fixture: Fixture): () => void {
  const works: (() => void)[] = [];
  fixture.kernel.hold = (work) => works.push(work);
  return () => {
    for (const work of works.splice(0)) work();
  };
}
