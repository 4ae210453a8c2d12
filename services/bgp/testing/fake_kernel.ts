import { type Address, addressBits, formatAddress, formatPrefix, parsePrefix } from '@calico/ip';
import type { ChangeBatch } from '../core/kernel/change_batch.ts';
import type { ChangeKind } from '../core/kernel/changes.ts';
import { describeRoute } from '../core/kernel/route_text.ts';
import type { KernelRoute, OtherRoute, Resolution } from '../core/kernel/types.ts';
import type { KernelPort, RouteFailure } from '../ports.ts';

const UPLINK = 2;

/** A routing table in memory. Every address is on the uplink unless said otherwise. */
export class FakeKernel implements KernelPort {
  readonly routes = new Map<string, KernelRoute>();
  /** Prefixes that another owner has a route to. */
  readonly foreign = new Set<string>();
  /** Routes of our protocol with metrics of their own. */
  strays: readonly KernelRoute[] = [];
  readonly interfaces = new Map([['ens33', UPLINK]]);
  /** Addresses of this node; the ways to them are none. */
  readonly locals = new Set<string>();
  readonly linkLocals = new Map<string, Address>();
  readonly ways = new Map<string, Resolution | undefined>();
  /** What was done, as `ip monitor route` would show it. */
  readonly log: string[] = [];

  list(visitOther: (route: OtherRoute) => void = () => {}): KernelRoute[] {
    for (const text of this.foreign) visitOther(otherRoute(text));
    return [...this.routes.values(), ...this.strays];
  }

  removeStrays(routes: readonly KernelRoute[]): void {
    for (const route of routes) {
      this.strays = this.strays.filter((each) => describeRoute(each) !== describeRoute(route));
      this.log.push(`Deleted ${describeRoute(route)}`);
    }
  }

  read(
    visit: (route: KernelRoute) => void,
    visitOther: (route: OtherRoute) => void,
    done: (isWhole: boolean) => void,
  ): void {
    for (const route of this.list(visitOther)) visit(route);
    this.hold(() => done(true), 0);
  }

  /** At once, unless a test holds it back. */
  apply(changes: ChangeBatch, done: (failures: readonly RouteFailure[]) => void): void {
    this.hold(() => {
      const failures: RouteFailure[] = [];
      for (let index = 0; index < changes.count; index++) {
        const code = this.#applyOne(changes.kindOf(index), changes.routeOf(index));
        if (code !== undefined) failures.push({ index, code, message: '' });
      }
      done(failures);
    }, changes.count);
  }

  /** Calls back when the kernel does its work. @param changes how many it consists of */
  hold: (work: () => void, changes: number) => void = (work) => work();

  removeWays(_prefixes: Int32Array, onGone: (gone: Int32Array, isLast: boolean) => void): void {
    onGone(new Int32Array(), true);
  }

  linkLocalAddress(interfaceName: string): Address | undefined {
    return this.linkLocals.get(interfaceName);
  }

  resolve(address: Address, interfaceName?: string): Resolution | undefined {
    if (interfaceName !== undefined) {
      const interfaceIndex = this.interfaces.get(interfaceName);
      return interfaceIndex === undefined ? undefined : { gateway: undefined, interfaceIndex };
    }
    const text = formatAddress(address);
    if (this.ways.has(text)) return this.ways.get(text);
    return { gateway: undefined, interfaceIndex: UPLINK };
  }

  isLocal(address: Address): boolean {
    return this.locals.has(formatAddress(address));
  }

  /** Everybody has a route of his own. */
  matchedLength(address: Address): number | undefined {
    return this.resolve(address) === undefined ? undefined : addressBits(address.family);
  }

  interfaceIndex(name: string): number | undefined {
    return this.interfaces.get(name);
  }

  interfaceName(index: number): string | undefined {
    return [...this.interfaces].find(([, each]) => each === index)?.[0];
  }

  /** "10.244.85.192/26 via 192.168.80.101", sorted. */
  describe(): string[] {
    return [...this.routes.values()].map(describeRoute).toSorted();
  }

  #applyOne(kind: ChangeKind, route: KernelRoute): string | undefined {
    const text = formatPrefix(route.prefix);
    if (kind === 'delete') {
      if (!this.routes.delete(text)) return 'ESRCH';
      this.log.push(`Deleted ${describeRoute(route)}`);
      return undefined;
    }
    if (kind === 'add' && (this.routes.has(text) || this.foreign.has(text))) return 'EEXIST';
    this.routes.set(text, route);
    this.log.push(describeRoute(route));
    return undefined;
  }
}

/** Somebody else's, on the uplink. */
export function otherRoute(prefix: string, metric = 0): OtherRoute {
  return { prefix: parsePrefix(prefix), metric, interfaceIndex: UPLINK };
}
