// What the host endpoints of this node need. They are few, so that all of it is built again when anything changes that it
// depends on; what comes out the same changes nothing.
import type { Labels } from '@calico/selector';
import type { PolicyInputs } from '../../../ports.ts';
import { baseChains } from '../compiler/base_chains.ts';
import type { ChainBuilder } from '../compiler/chains.ts';
import { MemberSelections } from '../compiler/member_selections.ts';
import type { NamedSet } from '../compiler/ruleset.ts';
import { SetBuilder } from '../compiler/set_builder.ts';
import { addHosts, hostParts } from '../host/compile_hosts.ts';
import { hostEndpointLabels, type ProfileLookup } from '../meaning/labels.ts';
import type { AnyPolicy } from '../meaning/ordering.ts';
import type { FilterSettings } from '../meaning/settings.ts';
import { isInputChanged } from './input_versions.ts';
import { listChanges } from './list_changes.ts';
import type { RulesetStore } from './ruleset_store.ts';

/** The one chain of the base that host endpoints add to. */
const INPUT = 'input-to-host';
const LISTS = [
  'hostEndpoints',
  'networkPolicies',
  'globalNetworkPolicies',
  'tiers',
  'profiles',
] as const;

export class HostPolicies {
  readonly #store: RulesetStore;
  readonly #chains: ChainBuilder;
  readonly #settings: FilterSettings;
  /** Base chains and dispatch maps made by the last update. */
  #made: { readonly chains: ReadonlySet<string>; readonly maps: ReadonlySet<string> } = {
    chains: new Set(),
    maps: new Set(),
  };

  constructor(store: RulesetStore, chains: ChainBuilder, settings: FilterSettings) {
    this.#store = store;
    this.#chains = chains;
    this.#settings = settings;
  }

  /** `policiesFor` gives the policies of every stage that select what has these labels. */
  update(
    before: PolicyInputs | undefined,
    after: PolicyInputs,
    profileOf: ProfileLookup,
    policiesFor: (labels: Labels) => readonly AnyPolicy[],
  ): void {
    if (!isConcerned(before, after)) return;
    const own = after.hostEndpoints.filter(({ spec }) => spec.node === after.node);
    if (own.length === 0 && this.#made.chains.size === 0) return;
    const policies = new Set(own.flatMap((one) => policiesFor(hostEndpointLabels(one, profileOf))));
    const parts = { ...hostParts(after, profileOf, this.#settings), policies: [...policies] };
    const input = baseChains(this.#settings).get(INPUT);
    if (input !== undefined) this.#store.chains.set(INPUT, input);
    const maps = new Map<string, NamedSet>();
    const sets = new SetBuilder(new MemberSelections([]), maps);
    const bases = this.#store.baseChainsOf(() => {
      addHosts(parts, this.#settings, this.#chains, sets);
    });
    for (const [name, map] of maps) this.#store.pinMap(name, map);
    const made = { chains: bases.difference(new Set([INPUT])), maps: new Set(maps.keys()) };
    for (const name of this.#made.chains) if (!made.chains.has(name)) this.#store.dropBase(name);
    for (const name of this.#made.maps) if (!made.maps.has(name)) this.#store.unpinMap(name);
    this.#made = made;
  }
}

function isConcerned(before: PolicyInputs | undefined, after: PolicyInputs): boolean {
  if (before === undefined) return true;
  const interfaces = listChanges(before.hostInterfaces ?? [], after.hostInterfaces ?? []);
  if (interfaces.removed.length + interfaces.added.length > 0) return true;
  return LISTS.some((list) => isInputChanged(before, after, list));
}
