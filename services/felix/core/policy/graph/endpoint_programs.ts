// Which program judges each endpoint of this node. Endpoints that the same policies select, and that have the same
// profiles, are a group; a group's programs are built once.

import type { Tier } from '@calico/model';
import { LabelIndex, type Labels, type Selector, SelectorIndex } from '@calico/selector';
import type { ChainBuilder } from '../compiler/chains.ts';
import {
  type AnyPolicy,
  type Direction,
  deciding,
  isForWorkloads,
  orderTiers,
  policyOf,
} from '../meaning/ordering.ts';

/** An endpoint of this node. Objects are compared by identity. */
export type LocalEndpoint = {
  readonly labels: Labels;
  readonly profiles: readonly string[];
  readonly interfaceName: string;
};

export type Programs = { readonly ingress: string; readonly egress: string };

type PolicyEntry = { readonly id: number; readonly selector: Selector; resource: AnyPolicy };
type Group = {
  readonly key: string;
  readonly policies: readonly PolicyEntry[];
  readonly profiles: readonly string[];
  readonly users: Set<LocalEndpoint>;
  programs: Programs | undefined;
};

export class EndpointPrograms {
  readonly #chains: ChainBuilder;
  readonly #policies = new Map<string, PolicyEntry>();
  readonly #selectors = new SelectorIndex<PolicyEntry>();
  readonly #endpoints = new LabelIndex<LocalEndpoint>();
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<LocalEndpoint, Group>();
  /** To be put into another group. */
  readonly #moving = new Set<LocalEndpoint>();
  /** To be given programs again. */
  readonly #dirty = new Set<Group>();
  #tiers: readonly Tier[] = [];
  #lastId = 0;

  constructor(chains: ChainBuilder) {
    this.#chains = chains;
  }

  setTiers(tiers: readonly Tier[]): void {
    this.#tiers = tiers;
    for (const group of this.#groups.values()) this.#dirty.add(group);
  }

  profilesChanged(names: ReadonlySet<string>): void {
    for (const group of this.#groups.values()) {
      if (group.profiles.some((name) => names.has(name))) this.#dirty.add(group);
    }
  }

  addEndpoint(endpoint: LocalEndpoint): void {
    this.#endpoints.add(endpoint);
    this.#moving.add(endpoint);
  }

  deleteEndpoint(endpoint: LocalEndpoint): void {
    this.#endpoints.delete(endpoint);
    this.#moving.delete(endpoint);
    this.#leaveGroup(endpoint);
  }

  /** A policy comes, changes, or goes (`resource` undefined). Its chains have to be stale already. */
  setPolicy(key: string, resource: AnyPolicy | undefined): void {
    const before = this.#policies.get(key);
    const selector = resource && policyOf(resource, before?.resource)?.selector;
    if (before !== undefined && resource !== undefined && selector !== undefined) {
      const isSame = before.selector.canonical === selector.canonical;
      if (isSame && isForWorkloads(before.resource) === isForWorkloads(resource)) {
        before.resource = resource;
        for (const endpoint of this.#endpoints.matching(selector)) this.#markGroup(endpoint);
        return;
      }
    }
    if (before !== undefined) {
      this.#policies.delete(key);
      this.#selectors.delete(before);
      this.#move(before.selector);
    }
    if (resource === undefined || selector === undefined) return;
    const entry = { id: ++this.#lastId, selector, resource };
    this.#policies.set(key, entry);
    this.#selectors.add(entry);
    this.#move(selector);
  }

  /** Policies of every stage that select what has these labels. */
  policiesFor(labels: Labels): readonly AnyPolicy[] {
    return this.#selectors.matching(labels).map(({ resource }) => resource);
  }

  /** Carries out what was changed. Answers the endpoints whose programs may have changed. */
  settle(): ReadonlySet<LocalEndpoint> {
    const changed = new Set<LocalEndpoint>();
    for (const endpoint of this.#moving) {
      this.#regroup(endpoint);
      changed.add(endpoint);
    }
    this.#moving.clear();
    for (const group of this.#dirty) {
      if (group.users.size === 0) continue;
      const before = group.programs;
      group.programs = this.#build(group);
      const isSame =
        before?.ingress === group.programs.ingress && before.egress === group.programs.egress;
      if (!isSame) for (const endpoint of group.users) changed.add(endpoint);
    }
    this.#dirty.clear();
    return changed;
  }

  programsOf(endpoint: LocalEndpoint): Programs | undefined {
    return this.#groupOf.get(endpoint)?.programs;
  }

  #build({ policies, profiles }: Group): Programs {
    const tiers = orderTiers(
      this.#tiers,
      policies.map(({ resource }) => resource),
    );
    const program = (direction: Direction): string =>
      this.#chains.program(direction, deciding(tiers, direction), profiles);
    return { egress: program('egress'), ingress: program('ingress') };
  }

  #move(selector: Selector): void {
    for (const endpoint of this.#endpoints.matching(selector)) this.#moving.add(endpoint);
  }

  #markGroup(endpoint: LocalEndpoint): void {
    const group = this.#groupOf.get(endpoint);
    if (group !== undefined) this.#dirty.add(group);
  }

  #regroup(endpoint: LocalEndpoint): void {
    const policies = this.#selectors.matching(endpoint.labels).toSorted((a, b) => a.id - b.id);
    const { profiles } = endpoint;
    const key = JSON.stringify([policies.map(({ id }) => id), profiles]);
    if (this.#groupOf.get(endpoint)?.key === key) return this.#markGroup(endpoint);
    this.#leaveGroup(endpoint);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { key, policies, profiles, users: new Set(), programs: undefined };
      this.#groups.set(key, group);
      this.#dirty.add(group);
    }
    group.users.add(endpoint);
    this.#groupOf.set(endpoint, group);
  }

  #leaveGroup(endpoint: LocalEndpoint): void {
    const group = this.#groupOf.get(endpoint);
    this.#groupOf.delete(endpoint);
    if (!group?.users.delete(endpoint) || group.users.size > 0) return;
    this.#groups.delete(group.key);
    this.#dirty.delete(group);
  }
}
