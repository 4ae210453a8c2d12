// Paths for tests, with what the test does not care about filled in.
import type { AsPath, PathAttributes } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { LOCAL, LocRib } from '../core/rib/loc_rib.ts';
import { LOCAL_SOURCE, type Path } from '../core/rib/path.ts';

export type PathFields = PathAttributes & {
  readonly prefix?: string;
  readonly via?: string;
  /** Address of the peer; "local" for an own route. */
  readonly from?: string;
  readonly routerId?: number;
  readonly isInternal?: boolean;
  readonly isClient?: boolean;
  /** Interface of link-local next hops. */
  readonly onLink?: string;
};

export function path(fields: PathFields = {}): Path {
  const {
    prefix = '10.244.85.192/26',
    via,
    from = '192.168.80.101',
    routerId,
    isInternal = true,
    isClient = false,
    onLink,
    ...attributes
  } = fields;
  const local = from === 'local';
  const nextHop = parseAddress(via ?? (local ? '0.0.0.0' : from));
  const data = { attributes: { origin: 0, asPath: [], ...attributes } as PathAttributes, nextHop };
  const route = { prefix: parsePrefix(prefix), data, row: 0, pathId: 0 };
  if (local) return { ...route, source: LOCAL_SOURCE };
  const address = parseAddress(from);
  return {
    ...route,
    source: {
      kind: 'peer',
      peer: from,
      address,
      routerId: routerId ?? Number(address.value),
      isInternal,
      isClient,
      ...(onLink === undefined ? {} : { interface: onLink }),
    },
  };
}

/** Puts paths into a table, each from the source that it names. */
export class RibFiller {
  readonly rib = new LocRib();
  readonly #sources = new Map<string, number>();

  put(route: Path): void {
    this.rib.put({ ...route, source: this.sourceOf(route) });
  }

  remove(route: Path): void {
    this.rib.remove(route.prefix, this.sourceOf(route), route.pathId);
  }

  sourceOf({ source }: Path): number {
    if (source.kind === 'local') return LOCAL;
    let row = this.#sources.get(source.peer);
    if (row === undefined) {
      row = this.rib.paths.addSource(source);
      this.#sources.set(source.peer, row);
    }
    return row;
  }
}

export function sequence(...asns: number[]): AsPath {
  return [{ kind: 'sequence', asns }];
}
