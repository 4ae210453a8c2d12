// From everything that policy depends on to the ruleset of this node. Pure: the same inputs give the same ruleset,
// name by name, on every node and after every restart.
import { FAMILIES } from '@calico/ip';
import type { WorkloadEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { addHosts, hostParts } from '../host/compile_hosts.ts';
import { endpointLabels, type ProfileLookup, profileLookup } from '../meaning/labels.ts';
import { membersOf } from '../meaning/members.ts';
import { applicable, orderTiers } from '../meaning/ordering.ts';
import { sliceMember } from '../meaning/services.ts';
import { type FilterSettings, filterSettings } from '../meaning/settings.ts';
import { baseChains, podSources, podSpoofed } from './base_chains.ts';
import { ChainBuilder } from './chains.ts';
import { addDispatch, FROM_POD, TO_POD } from './dispatch.ts';
import { addFixedSets } from './fixed_sets.ts';
import { MemberSelections } from './member_selections.ts';
import {
  endpointRank,
  sourceElements,
  sourceSet,
  spoofedElements,
  spoofedSet,
} from './pod_sources.ts';
import { withoutUnused } from './references.ts';
import type { Chain, NamedSet, Ruleset } from './ruleset.ts';
import { elementsOf, SetBuilder } from './set_builder.ts';

export type CompileOptions = {
  /** So many nets of about one length are blocks instead of ranges (set_form.ts); for tests. */
  readonly fewestBlocks?: number | undefined;
};

export function compile(inputs: PolicyInputs, { fewestBlocks }: CompileOptions = {}): Ruleset {
  const settings = filterSettings(inputs.felixConfiguration, inputs.ipPools);
  const profileOf = profileLookup(inputs.profiles);
  const selections = new MemberSelections(membersOf(inputs, profileOf), fewestBlocks);
  const [built, fixed, asked] = [
    new Map<string, Chain>(),
    new Map<string, NamedSet>(),
    new Map<string, NamedSet>(),
  ];
  const services = new MemberSelections((inputs.endpointSlices ?? []).map(sliceMember));
  const sets = new SetBuilder(selections, fixed);
  const chains = new ChainBuilder({
    sets: new SetBuilder(selections, asked, services),
    profileOf,
    settings,
    chains: built,
  });
  for (const [name, chain] of baseChains(settings)) chains.add(name, chain);
  addPrograms(inputs, profileOf, sets, chains);
  addSources(inputs.localEndpoints, settings, sets);
  addFixedSets(inputs, sets);
  addHosts(hostParts(inputs, profileOf, settings), settings, chains, sets);
  return withoutUnused(built, fixed, asked);
}

/** Per endpoint an element in each of two maps; programs are shared. */
function addPrograms(
  inputs: PolicyInputs,
  profileOf: ProfileLookup,
  sets: SetBuilder,
  chains: ChainBuilder,
): void {
  const tiers = orderTiers(inputs.tiers, [
    ...inputs.networkPolicies,
    ...inputs.globalNetworkPolicies,
  ]);
  const from = new Map<string, string>();
  const to = new Map<string, string>();
  for (const endpoint of byRank(inputs.localEndpoints)) {
    const { interfaceName, profiles = [] } = endpoint.spec;
    if (interfaceName === undefined || from.has(interfaceName)) continue;
    const labels = endpointLabels(endpoint, profileOf);
    const out = chains.program('egress', applicable(tiers, 'egress', labels), profiles);
    const into = chains.program('ingress', applicable(tiers, 'ingress', labels), profiles);
    from.set(interfaceName, out);
    to.set(interfaceName, into);
  }
  addDispatch(FROM_POD, from, sets);
  addDispatch(TO_POD, to, sets);
}

/** Of two endpoints with one interface the first one counts. */
function byRank(endpoints: readonly WorkloadEndpoint[]): readonly WorkloadEndpoint[] {
  return endpoints.toSorted((a, b) => (endpointRank(a) < endpointRank(b) ? -1 : 1));
}

function addSources(
  endpoints: readonly WorkloadEndpoint[],
  { canSpoof }: FilterSettings,
  sets: SetBuilder,
): void {
  for (const family of FAMILIES) {
    sets.add(podSources(family), {
      ...sourceSet(family),
      elements: elementsOf(endpoints.flatMap((endpoint) => sourceElements(endpoint, family))),
    });
    if (!canSpoof) continue;
    sets.add(podSpoofed(family), {
      ...spoofedSet(family),
      elements: elementsOf(endpoints.flatMap((endpoint) => spoofedElements(endpoint, family))),
    });
  }
}
