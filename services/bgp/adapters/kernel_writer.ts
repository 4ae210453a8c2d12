// Changes of routes --> netlink messages. The kernel works on them on another thread, so that nothing here
// waits for it; what it is given is written by templates, without an object per route.
import type { Family } from '@calico/ip';
import { BGP_ROUTE_PROTOCOL } from '@calico/model';
import {
  type Batch,
  type Netlink,
  type NextHopObject,
  type RequestFailure,
  type Route,
  type RouteTemplate,
  routeTemplate,
} from '@calico/netlink';
import type { Defer } from '../core/host/turns.ts';
import type { ChangeBatch } from '../core/kernel/change_batch.ts';
import type { ChangeKind } from '../core/kernel/changes.ts';
import type { KernelTarget } from '../core/kernel/types.ts';
import type { KernelPort, RouteFailure } from '../ports.ts';
import { NextHopObjects, type Way } from './next_hop_objects.ts';

export const TABLE_MAIN = 254;
/** What the kernel gives routes without a metric; IPv4 ones get 0. */
export const IPV6_METRIC = 1024;
/** So few routes are written at once: the kernel needs less than a millisecond. */
const FEW = 128;
/** Prefixes that are told to be gone at a time. */
const SLICE = 8_192;
/** Routes that are counted at a time. */
const COUNTED = 65_536;

/** By position in a batch: the way whose object the route refers to. */
type ByObject = (Way | undefined)[];

export class KernelWriter implements Pick<KernelPort, 'apply' | 'removeWays'> {
  readonly #batch: Batch;
  readonly #objects: NextHopObjects;
  readonly #removals = new Map<string, RouteTemplate>();

  readonly #defer: Defer;
  /** Calls of apply() whose outcome is not known. */
  #underWay = 0;

  constructor(netlink: Netlink, batch: Batch, defer: Defer) {
    this.#batch = batch;
    this.#defer = defer;
    this.#objects = new NextHopObjects(netlink);
  }

  apply(changes: ChangeBatch, done: (failures: readonly RouteFailure[]) => void): void {
    const byObject: ByObject = [];
    this.#underWay += 1;
    for (let index = 0; index < changes.count; index++) this.#add(changes, index, byObject);
    this.#submit((failures) => {
      const lost: RouteFailure[] = [];
      const rest: RouteFailure[] = [];
      for (const failure of failures) {
        const isLost = failure.code === 'EINVAL' && byObject[failure.index] !== undefined;
        (isLost ? lost : rest).push(failure);
      }
      if (lost.length === 0) return this.#finish(changes, byObject, failures, done);
      this.#repeat(changes, byObject, lost, (others) => {
        this.#finish(changes, byObject, [...rest, ...others], done);
      });
    });
  }

  removeWays(prefixes: Int32Array, onGone: (gone: Int32Array, isLast: boolean) => void): void {
    this.#count(prefixes, 0, this.#objects.newCounts(), onGone);
  }

  /** As NextHopObjects.changed(). */
  objectChanged(action: 'new' | 'deleted', object: NextHopObject): boolean {
    return this.#objects.changed(action, object);
  }

  close(): void {
    this.#batch.close();
  }

  /** A slice per turn of the event loop. */
  #count(
    prefixes: Int32Array,
    from: number,
    counts: Int32Array,
    onGone: (gone: Int32Array, isLast: boolean) => void,
  ): void {
    const next = from + COUNTED;
    this.#objects.count(prefixes.subarray(from, next), counts);
    if (next < prefixes.length) {
      return this.#defer(() => this.#count(prefixes, next, counts, onGone));
    }
    const ways = this.#objects.onlyFor(counts);
    if (ways.length === 0) return onGone(new Int32Array(), true);
    for (const { id } of ways) this.#batch.add({ kind: 'nexthop-delete', id });
    this.#batch.submit((failures) => {
      const failed = new Set(failures.map(({ index }) => index));
      const isGone = new Set(ways.filter((_, at) => !failed.has(at)).map(({ index }) => index));
      for (const way of ways) this.#objects.forget(way);
      this.#tell(prefixes, 0, isGone, onGone);
    });
  }

  #submit(done: (failures: readonly RequestFailure[]) => void): void {
    if (this.#batch.count > FEW || this.#batch.isBusy) this.#batch.submit(done);
    else done(this.#batch.execute());
  }

  /** A slice per turn of the event loop. */
  #tell(
    prefixes: Int32Array,
    from: number,
    isGone: ReadonlySet<number>,
    onGone: (gone: Int32Array, isLast: boolean) => void,
  ): void {
    const slice = prefixes.subarray(from, from + SLICE);
    const gone = slice.filter((prefix) => isGone.has(this.#objects.indexOf(prefix)));
    for (const prefix of gone) this.#objects.note(prefix, undefined);
    const next = from + SLICE;
    const isLast = next >= prefixes.length;
    if (!isLast) this.#defer(() => this.#tell(prefixes, next, isGone, onGone));
    onGone(gone, isLast);
  }

  #add(changes: ChangeBatch, index: number, byObject: ByObject): void {
    const { prefixes } = changes;
    const id = changes.idOf(index);
    const kind = changes.kindOf(index);
    const target = changes.targetOf(index);
    const family = prefixes.familyOf(id);
    const [hop] = target.hops;
    const isSingle = kind !== 'delete' && target.hops.length === 1 && hop !== undefined;
    const way = isSingle ? this.#objects.wayFor(family, hop) : undefined;
    byObject[index] = way === undefined || way.id === 0 ? undefined : way;
    const template =
      way === undefined
        ? this.#templateFor(kind, family, target)
        : (way.templates[kind === 'add' ? 0 : 1] ??= byWay(kind, target, way));
    const a = prefixes.wordOf(id, 0);
    const length = prefixes.lengthOf(id);
    if (family === 4) return this.#batch.addRoute(template, length, a, 0, 0, 0);
    const [b, c, d] = [prefixes.wordOf(id, 1), prefixes.wordOf(id, 2), prefixes.wordOf(id, 3)];
    return this.#batch.addRoute(template, length, a, b, c, d);
  }

  /** A removal names no next hop: what matters is the prefix and that the route is ours. */
  #templateFor(kind: ChangeKind, family: Family, target: KernelTarget): RouteTemplate {
    if (kind !== 'delete') return routeTemplate(kind, family, routeTo(target));
    const key = `${family} ${target.type}`;
    let template = this.#removals.get(key);
    template ??= routeTemplate(kind, family, {
      ...routeTo({ ...target, hops: [] }),
      // Without one the kernel takes the first that it finds.
      ...(family === 6 ? { metric: IPV6_METRIC } : {}),
    });
    this.#removals.set(key, template);
    return template;
  }

  /** Their objects are gone: once more without. */
  #repeat(
    changes: ChangeBatch,
    byObject: ByObject,
    lost: readonly RouteFailure[],
    done: (failures: readonly RouteFailure[]) => void,
  ): void {
    // All of them first: what is written anew may refer to objects that are made for it.
    const ways = new Set(lost.map(({ index }) => byObject[index]));
    for (const way of ways) if (way !== undefined) this.#objects.forget(way);
    for (const { index } of lost) this.#add(changes, index, byObject);
    this.#submit((failures) => {
      done(failures.map((each) => ({ ...each, index: lost[each.index]?.index ?? 0 })));
    });
  }

  #finish(
    changes: ChangeBatch,
    byObject: ByObject,
    failures: readonly RouteFailure[],
    done: (failures: readonly RouteFailure[]) => void,
  ): void {
    const failed = new Set(failures.map(({ index }) => index));
    for (let index = 0; index < changes.count; index++) {
      if (failed.size > 0 && failed.has(index)) continue;
      this.#objects.note(changes.idOf(index), byObject[index]);
    }
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#deleteIdle();
    done(failures);
  }

  /** What is on its way to the kernel could refer to them: so only while nothing is. */
  #deleteIdle(): void {
    const ways = this.#objects.takeIdle();
    if (ways.length === 0) return;
    for (const way of ways) {
      this.#batch.add({ kind: 'nexthop-delete', id: way.id });
      this.#objects.forget(way);
    }
    // Those that cannot be deleted cost nothing but their memory.
    this.#submit(() => {});
  }
}

function byWay(kind: ChangeKind, target: KernelTarget, { family, id }: Way): RouteTemplate {
  if (id === 0) return routeTemplate(kind, family, routeTo(target));
  return routeTemplate(kind, family, { ...routeTo({ ...target, hops: [] }), nextHopId: id });
}

export function routeTo({ type, hops }: KernelTarget): Omit<Route, 'destination'> {
  return {
    type,
    table: TABLE_MAIN,
    protocol: BGP_ROUTE_PROTOCOL,
    scope: 'global',
    nextHops: hops.map(({ gateway, interfaceIndex, onlink }) => ({
      interfaceIndex,
      ...(gateway === undefined ? {} : { gateway }),
      ...(onlink ? { onlink } : {}),
    })),
  };
}
