// Routes that stand for others: each is there as long as something inside of it is.
import type { PathAttributes } from '@calico/bgp-wire';
import { formatPrefix, type Prefix } from '@calico/ip';
import type { ExportPolicy } from '../policy/export_policy.ts';
import { mergePaths } from '../policy/merge_paths.ts';
import type { LocalPolicy } from '../policy/types.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { PrefixRanges } from '../rib/prefix_ranges.ts';

type Aggregate = {
  readonly prefix: Prefix;
  /** What the best paths inside say, by the numbers of their prefixes. */
  readonly parts: Map<number, PathAttributes>;
};

/** Before what others tell of the same prefix. */
const LOCAL_PREFERENCE = 2_147_482_623;

export class Aggregates {
  readonly #rib: LocRib;
  #local: LocalPolicy | undefined;
  #exports: ExportPolicy | undefined;
  #ranges = new PrefixRanges([]);
  #all: readonly Aggregate[] = [];
  #source = -1;

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  /** The policy is another: looks at all routes again. */
  configure(local: LocalPolicy, exports: ExportPolicy): void {
    const { aggregates = [] } = local;
    const wanted = new Set(aggregates.map(formatPrefix));
    for (const { prefix } of this.#all) {
      if (!wanted.has(formatPrefix(prefix))) this.#rib.remove(prefix, this.#source);
    }
    this.#local = local;
    this.#exports = exports;
    this.#ranges = new PrefixRanges(aggregates);
    this.#all = aggregates.map((prefix) => ({ prefix, parts: new Map() }));
    if (aggregates.length === 0) return;
    if (this.#source < 0) {
      this.#source = this.#rib.paths.addSource({ kind: 'local', isAggregate: true });
    }
    for (let id = 0; id < this.#rib.prefixes.limit; id++) {
      if (this.#rib.bestOf(id) >= 0) this.#follow(id);
    }
    for (const aggregate of this.#all) this.#tell(aggregate);
  }

  /** @param changed numbers of prefixes whose best paths are others now */
  follow(changed: readonly number[]): void {
    if (this.#all.length === 0) return;
    const touched = new Set<Aggregate>();
    for (const id of changed) {
      const aggregate = this.#follow(id);
      if (aggregate !== undefined) touched.add(aggregate);
    }
    for (const aggregate of touched) this.#tell(aggregate);
  }

  /** Answers the aggregate that the prefix is a part of, or was. */
  #follow(id: number): Aggregate | undefined {
    const rib = this.#rib;
    const aggregate = this.#all[this.#ranges.lastContaining(rib.prefixes, id)];
    if (aggregate === undefined) return undefined;
    if (rib.prefixes.lengthOf(id) === aggregate.prefix.length) return undefined;
    const row = rib.bestOf(id);
    const path = row < 0 ? undefined : rib.pathOf(row);
    if (path === undefined || !this.#exports?.mayAggregate(path)) aggregate.parts.delete(id);
    else aggregate.parts.set(id, path.data.attributes);
    return aggregate;
  }

  #tell({ prefix, parts }: Aggregate): void {
    const local = this.#local;
    if (parts.size === 0 || local === undefined) return this.#rib.remove(prefix, this.#source);
    const merged: PathAttributes = {
      ...mergePaths([...new Set(parts.values())]),
      localPreference: LOCAL_PREFERENCE,
      aggregator: { asn: local.confederation ?? local.asn, routerId: local.routerId },
    };
    // The communities of many routes may be more than a message holds.
    if (this.#put(prefix, merged)) return undefined;
    const { communities: _communities, largeCommunities: _largeCommunities, ...rest } = merged;
    this.#put(prefix, rest);
  }

  #put(prefix: Prefix, attributes: PathAttributes): boolean {
    const data = { attributes, nextHop: { family: prefix.family, value: 0n } };
    return this.#rib.put({ prefix, data, source: this.#source });
  }
}
