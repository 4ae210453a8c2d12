// What a speaker's tables have to be, computed from nothing: from its configuration, from what its peers have
// told, and from what its kernel reaches. Slow and simple, by the text of RFC 4271 and 4456; only rules of
// single routes (filters, pools, attributes) are the policies' own, which have tests of theirs.
import { asPathLength } from '@calico/bgp-wire';
import {
  compareAddresses,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  prefixContains,
} from '@calico/ip';
import { interiorCost } from '../core/kernel/types.ts';
import { ExportPolicy } from '../core/policy/export_policy.ts';
import { ImportPolicy } from '../core/policy/import_policy.ts';
import type { Path, PathData } from '../core/rib/path.ts';
import { settingsText } from '../core/speaker/config.ts';
import type { Peer } from '../core/speaker/peer.ts';
import type { SimulatedNode } from './simulated_cluster.ts';

/** A path as the decision sees it. */
type Candidate = Omit<Path, 'row'>;

/** Routes, one text each, sorted. */
export type Table = readonly string[];

export function routeText(prefix: Prefix, { nextHop, attributes }: PathData): string {
  const fields = Object.entries(attributes)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  // An AS path without segments is an attribute all the same.
  const path = attributes.asPath === undefined ? ' without AS path' : '';
  return `${formatPrefix(prefix)} via ${formatAddress(nextHop)} ${settingsText(fields)}${path}`;
}

/** Who has told it, and what. */
function pathText({ prefix, data, source, pathId }: Candidate): string {
  const who = source.kind === 'peer' ? source.peer : (source.client ?? 'own');
  return `${who} ${pathId}: ${routeText(prefix, data)}`;
}

/** Everything that the peer has told, as it came. */
export function toldBy({ received }: Peer): Table {
  const prefixes = new Map<string, Prefix>();
  for (const { prefix } of received) prefixes.set(formatPrefix(prefix), prefix);
  for (const { prefix } of received.refused()) prefixes.set(formatPrefix(prefix), prefix);
  const told = Array.from(prefixes.values(), (prefix) =>
    Array.from(received.allTo(prefix), (each) => routeText(prefix, each.received)),
  );
  return told.flat().toSorted();
}

export class ReferenceSpeaker {
  readonly #node: SimulatedNode;
  readonly #byPrefix = new Map<string, Candidate[]>();
  /** What import policy has to make of what peers have told; and what it has made. */
  readonly imports: { readonly wanted: string[]; readonly actual: string[] };

  constructor(node: SimulatedNode) {
    this.#node = node;
    this.imports = { wanted: [], actual: [] };
    for (const entry of node.speaker.rib.entries()) {
      for (const path of entry.candidates) if (path.source.kind === 'local') this.#add(path);
    }
    for (const peer of node.speaker.peers.values()) this.#importFrom(peer);
  }

  /** Best paths and those used beside them. */
  locRib(): Table {
    const all = Array.from(this.#byPrefix.values(), (candidates) => {
      const { best, hops } = this.#decide(candidates);
      return `${pathText(best)} | ${hops.join()}`;
    });
    return all.toSorted();
  }

  actualLocRib(): Table {
    const all = Array.from(this.#node.speaker.rib.entries(), ({ best, multipath }) => {
      const hops = new Set(multipath.map(({ data }) => formatAddress(data.nextHop)));
      return `${best === undefined ? 'none' : pathText(best)} | ${[...hops].toSorted().join()}`;
    });
    return all.toSorted();
  }

  /** What the peer has to be told. */
  adjRibOut(peer: Peer): Table {
    const { config } = this.#node.speaker;
    const { live } = peer;
    if (config === undefined || live === undefined) return [];
    const policy = new ExportPolicy(config.local);
    const told: string[] = [];
    for (const candidates of this.#byPrefix.values()) {
      const [{ prefix }] = candidates as [Candidate];
      if (!live.negotiated.families.includes(prefix.family)) continue;
      const isAll = live.negotiated.sendContext.addPath.includes(prefix.family);
      for (const path of isAll ? candidates : [this.#decide(candidates).best]) {
        const outcome = policy.export({ ...path, row: 0 }, peer.config.key, peer.policy);
        if (outcome.kind === 'accepted') told.push(routeText(prefix, outcome.data));
      }
    }
    return told.toSorted();
  }

  actualAdjRibOut({ advertised }: Peer): Table {
    return Array.from(advertised.entries(), ({ prefix, data }) =>
      routeText(prefix, data),
    ).toSorted();
  }

  /** Those that something inside makes be there. */
  aggregates(): Table {
    const { config } = this.#node.speaker;
    if (config === undefined) return [];
    const policy = new ExportPolicy(config.local);
    const parts = [...this.#byPrefix.values()]
      .map((candidates) => ({ ...this.#decide(candidates).best, row: 0 }))
      .filter((path) => path.source.kind === 'peer' || path.source.isAggregate !== true)
      .filter((path) => policy.mayAggregate(path));
    return (config.local.aggregates ?? [])
      .filter((each) => parts.some(({ prefix }) => isInside(prefix, each)))
      .map(formatPrefix);
  }

  actualAggregates(): Table {
    const paths = Array.from(
      this.#node.speaker.rib.entries(),
      ({ candidates }) => candidates,
    ).flat();
    return paths.flatMap(({ prefix, source }) =>
      source.kind === 'local' && source.isAggregate === true ? formatPrefix(prefix) : [],
    );
  }

  /** Routes of the kernel, where all next hops, or their gateways, are on the link. */
  kernelRoutes(): Table {
    const { config } = this.#node.speaker;
    const blocks = new Set(
      config?.ownRoutes.flatMap(({ kind, prefix }) =>
        kind === 'block' ? formatPrefix(prefix) : [],
      ),
    );
    const routes = Array.from(this.#byPrefix.values(), (candidates) => {
      const { best, hops } = this.#decide(candidates);
      const text = formatPrefix(best.prefix);
      if (best.source.kind === 'peer') {
        const gateways = new Set(hops.map((hop) => this.#gatewayOf(hop)));
        return `${text}${[...gateways]
          .toSorted()
          .map((each) => ` via ${each}`)
          .join()}`;
      }
      const isHeld =
        best.source.isAggregate ?? (blocks.has(text) && best.source.client === undefined);
      return isHeld ? `blackhole ${text}` : '';
    });
    return routes.filter((route) => route !== '').toSorted();
  }

  #gatewayOf(hop: string): string {
    const way = this.#node.kernel.resolve(parseAddress(hop));
    return way?.gateway === undefined ? hop : formatAddress(way.gateway);
  }

  #decide(candidates: readonly Candidate[]): Decided {
    return decide(candidates, ({ data }) => {
      const way = this.#node.kernel.resolve(data.nextHop);
      return way === undefined ? 0 : interiorCost(data.nextHop.family, way);
    });
  }

  #importFrom({ received, policy }: Peer): void {
    const { speaker, kernel } = this.#node;
    const { config } = speaker;
    if (config === undefined) return;
    const imports = new ImportPolicy(config.local);
    const prefixes = new Map<string, Prefix>();
    for (const { prefix } of received) prefixes.set(formatPrefix(prefix), prefix);
    for (const { prefix } of received.refused()) prefixes.set(formatPrefix(prefix), prefix);
    const source = speaker.rib.paths.sourceAt(received.source);
    for (const [text, prefix] of prefixes) {
      for (const { pathId, received: told, data } of received.allTo(prefix)) {
        const outcome = imports.import(prefix, told, policy);
        const taken = outcome.kind === 'accepted' ? outcome.data : undefined;
        const show = (made: PathData | undefined): string =>
          `${text} ${pathId} ${made === undefined ? 'refused' : routeText(prefix, made)}`;
        this.imports.wanted.push(show(taken));
        this.imports.actual.push(show(data));
        if (taken === undefined || kernel.resolve(taken.nextHop) === undefined) continue;
        this.#add({ prefix, data: taken, source, pathId });
      }
    }
  }

  #add(path: Candidate): void {
    const text = formatPrefix(path.prefix);
    this.#byPrefix.set(text, [...(this.#byPrefix.get(text) ?? []), path]);
  }
}

function isInside(prefix: Prefix, aggregate: Prefix): boolean {
  return prefix.length > aggregate.length && prefixContains(aggregate, prefix);
}

type Decided = {
  readonly best: Candidate;
  /** Next hops that are used, sorted. */
  readonly hops: readonly string[];
};

/** RFC 4271 section 9.1.2.2 and RFC 4456 section 9, rule by rule. @param costOf of getting to the next hop */
function decide(candidates: readonly Candidate[], costOf: (path: Candidate) => number): Decided {
  let left = [...candidates];
  const keepLowest = (of: (path: Candidate) => number): void => {
    const lowest = Math.min(...left.map(of));
    left = left.filter((path) => of(path) === lowest);
  };
  keepLowest(({ source }) => (source.kind === 'peer' ? 2 : source.client === undefined ? 0 : 1));
  keepLowest(({ data }) => -(data.attributes.localPreference ?? 100));
  keepLowest(({ data }) => asPathLength(data.attributes.asPath ?? []));
  keepLowest(({ data }) => data.attributes.origin ?? 2);
  const med = ({ data }: Candidate): number => data.attributes.multiExitDiscriminator ?? 0;
  const all = left;
  left = all.filter(
    (path) => !all.some((by) => neighbourOf(by) === neighbourOf(path) && med(by) < med(path)),
  );
  keepLowest(({ source }) => Number(source.kind === 'peer' && source.isInternal));
  keepLowest((path) => (path.source.kind === 'peer' ? costOf(path) : 0));
  const equals = left;
  keepLowest(({ source, data }) =>
    source.kind === 'peer' ? (data.attributes.originatorId ?? source.routerId) : 0,
  );
  keepLowest(({ data }) => data.attributes.clusterList?.length ?? 0);
  const [best] = left.toSorted((a, b) => {
    if (a.source.kind !== 'peer' || b.source.kind !== 'peer') return 0;
    return compareAddresses(a.source.address, b.source.address) || a.pathId - b.pathId;
  }) as [Candidate];
  const used = best.source.kind === 'local' ? [best] : equals;
  const hops = new Set(used.map(({ data }) => formatAddress(data.nextHop)));
  return { best, hops: [...hops].toSorted() };
}

/** The AS that the route was heard from; '' for none. */
function neighbourOf({ data }: Candidate): string {
  const [first] = data.attributes.asPath ?? [];
  return first?.kind === 'sequence' ? `${first.asns[0] ?? ''}` : '';
}
