// Policy that follows its inputs:
//
//   profiles ───┐
//   endpoints ──┼─ members ── selections ── elements of sets ──┐
//   sets ───────┘                                              ├─ store ── what has changed
//   local endpoints ─┐                                         │
//   policies, tiers ─┴─ programs ── chains, dispatch ──────────┘
//   nodes, pools ─────────────────── fixed sets ───────────────┘
//
// The result is compile() of the same inputs, chain by chain and element by element; the cost is that of the change.
import { FAMILIES } from '@calico/ip';
import type { WorkloadEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { baseChains, podSources, podSpoofed } from '../compiler/base_chains.ts';
import { ChainBuilder, policyChain, profileChain } from '../compiler/chains.ts';
import type { CompileOptions } from '../compiler/compile.ts';
import { addDispatch, FROM_POD, TO_POD } from '../compiler/dispatch.ts';
import { addFixedSets } from '../compiler/fixed_sets.ts';
import { MemberSelections } from '../compiler/member_selections.ts';
import {
  endpointRank,
  sourceElements,
  sourceSet,
  spoofedElements,
  spoofedSet,
} from '../compiler/pod_sources.ts';
import type { NamedSet, Ruleset } from '../compiler/ruleset.ts';
import { SetBuilder } from '../compiler/set_builder.ts';
import { endpointLabels, ProfileBook } from '../meaning/labels.ts';
import type { Direction } from '../meaning/ordering.ts';
import { sliceMember } from '../meaning/services.ts';
import { type FilterSettings, filterSettings } from '../meaning/settings.ts';
import { EndpointPrograms, type LocalEndpoint } from './endpoint_programs.ts';
import { HostPolicies } from './host_policies.ts';
import { inputChanges, isInputChanged } from './input_versions.ts';
import { listChanges } from './list_changes.ts';
import { LiveDispatch } from './live_dispatch.ts';
import type { LiveElements } from './live_elements.ts';
import { LiveSelections, type LiveSelectionsHooks } from './live_selections.ts';
import { MemberList } from './member_list.ts';
import { pairByKey, resourceKey } from './pairs.ts';
import { ProfileUsers } from './profile_users.ts';
import { type RulesetChanges, RulesetStore } from './ruleset_store.ts';

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];
const NOTHING: Ruleset = { chains: new Map(), sets: new Map() };

/** Holds what is known; `update()` may be called with anything at any time. */
export class PolicyGraph {
  #inputs: PolicyInputs | undefined;
  #settings = '';
  #engine: Engine | undefined;
  #ruleset: Ruleset = NOTHING;
  readonly #options: CompileOptions;

  constructor(options: CompileOptions = {}) {
    this.#options = options;
  }

  /**
   * The ruleset for these inputs, and how it differs from the one before; at first from an empty one. Throws what goes wrong
   * on the way, which has no effect then.
   */
  update(inputs: PolicyInputs): RulesetChanges {
    const settings = filterSettings(inputs.felixConfiguration, inputs.ipPools);
    const text = JSON.stringify(settings, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    const before = this.#ruleset;
    // Settings are in every chain; they hardly ever change.
    const isNew = this.#engine === undefined || text !== this.#settings;
    const engine = isNew ? new Engine(settings, this.#options) : (this.#engine as Engine);
    // One that fails half-way is in between its inputs: the next update begins with a new one.
    this.#engine = undefined;
    const changes = engine.update(isNew ? undefined : this.#inputs, inputs);
    [this.#engine, this.#settings, this.#inputs] = [engine, text, inputs];
    this.#ruleset = changes.ruleset;
    return isNew ? { ...changes, before, previous: before } : changes;
  }
}

type Local = LocalEndpoint & {
  readonly endpoint: WorkloadEndpoint;
  readonly rank: string;
};

class Engine {
  readonly #store: RulesetStore;
  readonly #selections: LiveSelections;
  /** Slices of services. */
  readonly #services: LiveSelections;
  readonly #chains: ChainBuilder;
  readonly #members: MemberList;
  readonly #programs: EndpointPrograms;
  readonly #hosts: HostPolicies;
  readonly #from: LiveDispatch;
  readonly #to: LiveDispatch;
  readonly #sources: readonly PodSources[];
  readonly #locals = new Map<WorkloadEndpoint, Local>();
  readonly #heirs = new ProfileUsers<Local>();
  readonly #byInterface = new Map<string, readonly Local[]>();
  readonly #toRebuild = new Set<string>();
  readonly #profiles = new ProfileBook();

  constructor(settings: FilterSettings, { fewestBlocks }: CompileOptions) {
    this.#store = new RulesetStore({
      onReleased: (elements) => {
        this.#selections.release(elements);
        this.#services.release(elements);
      },
      onChainGone: (name) => this.#chains.forget(name),
    });
    const store = this.#store;
    const hooks: LiveSelectionsHooks = {
      onChange: store.touch,
      onReplaced: (before) => {
        for (const chain of store.replaced(before)) this.#toRebuild.add(chain);
      },
      onResized: (elements) => {
        for (const chain of store.resized(elements)) this.#toRebuild.add(chain);
      },
      isNamed: (elements) => store.isNamed(elements),
      fewestBlocks,
    };
    this.#selections = new LiveSelections(hooks);
    this.#services = new LiveSelections(hooks);
    this.#chains = new ChainBuilder({
      sets: new SetBuilder(this.#selections, store.sets, this.#services),
      profileOf: this.#profiles.lookup,
      settings,
      chains: store.chains,
    });
    this.#programs = new EndpointPrograms(this.#chains);
    this.#hosts = new HostPolicies(store, this.#chains, settings);
    this.#members = new MemberList((before, after) => this.#selections.change(before, after));
    for (const [name, chain] of baseChains(settings)) this.#chains.add(name, chain);
    const pinned = new Map<string, NamedSet>();
    const sets = new SetBuilder(new MemberSelections([]), pinned);
    for (const dispatch of [FROM_POD, TO_POD]) addDispatch(dispatch, new Map(), sets);
    const pin = (name: string): LiveElements => store.pin(name, pinned.get(name) as NamedSet);
    this.#from = new LiveDispatch(store, FROM_POD, pin);
    this.#to = new LiveDispatch(store, TO_POD, pin);
    this.#sources = podSourceSets(settings).map(({ name, set, elementsOf }) => {
      sets.add(name, { ...set, elements: new Map() });
      return { elements: pin(name), elementsOf };
    });
  }

  update(before: PolicyInputs | undefined, after: PolicyInputs): RulesetChanges {
    const profiles = this.#updateProfiles(before, after);
    this.#members.update(before, after, this.#profiles.lookup, profiles);
    this.#updateServices(before, after);
    this.#updateLocals(before?.localEndpoints ?? [], after.localEndpoints, profiles);
    this.#updatePolicies(before, after);
    if (before === undefined || isInputChanged(before, after, 'tiers')) {
      this.#programs.setTiers(after.tiers);
    }
    if (before === undefined || isFixedChanged(before, after)) this.#updateFixedSets(after);
    this.#hosts.update(before, after, this.#profiles.lookup, (labels) =>
      this.#programs.policiesFor(labels),
    );
    for (const local of this.#programs.settle()) this.#point((local as Local).interfaceName);
    for (const chain of this.#toRebuild) {
      if (this.#store.isStale(chain)) this.#chains.rebuild(chain);
    }
    this.#toRebuild.clear();
    return this.#store.take();
  }

  /** Answers the names of profiles that are different now. */
  #updateProfiles(before: PolicyInputs | undefined, after: PolicyInputs): ReadonlySet<string> {
    const { removed, added } = inputChanges(before, after, 'profiles');
    const names = this.#profiles.change(removed, added);
    if (names.size === 0) return names;
    for (const name of names) {
      for (const direction of DIRECTIONS) this.#rebuildLater(profileChain(direction, name));
    }
    this.#programs.profilesChanged(names);
    return names;
  }

  #updateServices(before: PolicyInputs | undefined, after: PolicyInputs): void {
    const { removed, added } = inputChanges(before, after, 'endpointSlices');
    for (const [gone, come] of pairByKey(removed, added)) {
      this.#services.change(gone && sliceMember(gone), come && sliceMember(come));
    }
  }

  #rebuildLater(chain: string): void {
    this.#store.markStale(chain);
    this.#toRebuild.add(chain);
  }

  #updateLocals(
    before: readonly WorkloadEndpoint[],
    after: readonly WorkloadEndpoint[],
    profiles: ReadonlySet<string>,
  ): void {
    const { removed, added } = listChanges(before, after);
    for (const endpoint of removed) this.#deleteLocal(endpoint);
    for (const endpoint of added) this.#addLocal(endpoint);
    if (profiles.size === 0) return;
    for (const { endpoint } of this.#heirs.of(profiles)) {
      this.#deleteLocal(endpoint);
      this.#addLocal(endpoint);
    }
  }

  #addLocal(endpoint: WorkloadEndpoint): void {
    const { interfaceName, profiles = [] } = endpoint.spec;
    if (interfaceName === undefined) return;
    const labels = endpointLabels(endpoint, this.#profiles.lookup);
    const local: Local = {
      endpoint,
      labels,
      profiles,
      interfaceName,
      rank: endpointRank(endpoint),
    };
    this.#locals.set(endpoint, local);
    this.#heirs.add(profiles, local);
    const others = this.#byInterface.get(interfaceName) ?? [];
    const owners = [...others, local].toSorted((a, b) => (a.rank < b.rank ? -1 : 1));
    this.#setOwners(interfaceName, owners);
    this.#eachSource(endpoint, (elements, element) => elements.add(element));
  }

  #deleteLocal(endpoint: WorkloadEndpoint): void {
    const local = this.#locals.get(endpoint);
    if (local === undefined) return;
    this.#locals.delete(endpoint);
    const { interfaceName, profiles } = local;
    this.#heirs.delete(profiles, local);
    const owners = this.#byInterface.get(interfaceName) ?? [];
    this.#setOwners(
      interfaceName,
      owners.filter((one) => one !== local),
    );
    this.#eachSource(endpoint, (elements, element) => elements.release(element));
  }

  /** Of two endpoints with one interface the first one counts. */
  #setOwners(interfaceName: string, owners: readonly Local[]): void {
    const [before] = this.#byInterface.get(interfaceName) ?? [];
    const [after] = owners;
    if (after === undefined) this.#byInterface.delete(interfaceName);
    else this.#byInterface.set(interfaceName, owners);
    if (before === after) return;
    if (before !== undefined) this.#programs.deleteEndpoint(before);
    if (after !== undefined) this.#programs.addEndpoint(after);
    else this.#point(interfaceName);
  }

  #eachSource(
    endpoint: WorkloadEndpoint,
    visit: (elements: LiveElements, element: string) => void,
  ): void {
    for (const { elements, elementsOf } of this.#sources) {
      for (const element of elementsOf(endpoint)) visit(elements, element);
    }
  }

  #point(interfaceName: string): void {
    const [owner] = this.#byInterface.get(interfaceName) ?? [];
    const programs = owner && this.#programs.programsOf(owner);
    this.#from.point(interfaceName, programs?.egress);
    this.#to.point(interfaceName, programs?.ingress);
  }

  #updatePolicies(before: PolicyInputs | undefined, after: PolicyInputs): void {
    for (const list of ['networkPolicies', 'globalNetworkPolicies'] as const) {
      const { removed, added } = inputChanges(before, after, list);
      for (const [gone, come] of pairByKey(removed, added)) {
        const resource = come ?? gone;
        if (resource === undefined) continue;
        const { kind, metadata } = resource;
        const policy = { kind, namespace: metadata.namespace ?? '', name: metadata.name };
        for (const direction of DIRECTIONS) {
          this.#store.markStale(policyChain(direction, policy));
        }
        this.#programs.setPolicy(resourceKey(resource), come);
      }
    }
  }

  #updateFixedSets(inputs: PolicyInputs): void {
    const fixed = new Map<string, NamedSet>();
    addFixedSets(inputs, new SetBuilder(new MemberSelections([]), fixed));
    for (const [name, set] of fixed) this.#store.pin(name, set);
  }
}

type PodSources = {
  readonly elements: LiveElements;
  readonly elementsOf: (endpoint: WorkloadEndpoint) => readonly string[];
};

function podSourceSets({ canSpoof }: FilterSettings) {
  return FAMILIES.flatMap((family) => {
    const own = {
      name: podSources(family),
      set: sourceSet(family),
      elementsOf: (endpoint: WorkloadEndpoint) => sourceElements(endpoint, family),
    };
    if (!canSpoof) return [own];
    const spoofed = {
      name: podSpoofed(family),
      set: spoofedSet(family),
      elementsOf: (endpoint: WorkloadEndpoint) => spoofedElements(endpoint, family),
    };
    return [own, spoofed];
  });
}

// The configuration is put together anew each time.
function isFixedChanged(before: PolicyInputs, after: PolicyInputs): boolean {
  return (
    isInputChanged(before, after, 'nodes') ||
    isInputChanged(before, after, 'ipPools') ||
    JSON.stringify(before.felixConfiguration) !== JSON.stringify(after.felixConfiguration)
  );
}
