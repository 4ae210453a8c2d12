// From everything that policy depends on to the ruleset of this node. Pure: the same inputs give the same ruleset,
// name by name, on every node and after every restart.
import { aggregate, type Family, hostPrefix, type Prefix, parseInterfaceAddress } from '@calico/ip';
import type { Node, WorkloadEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { endpointLabels, type ProfileLookup, profileLookup } from '../meaning/labels.ts';
import { endpointPrefixes, membersOf, prefixesOf } from '../meaning/members.ts';
import { applicable, orderTiers } from '../meaning/ordering.ts';
import { unlessUnreadable } from '../meaning/rule_terms.ts';
import { type FilterSettings, filterSettings } from '../meaning/settings.ts';
import {
  allPools,
  baseChains,
  FROM_POD,
  natPools,
  nodeAddresses,
  podSources,
  podSpoofed,
  TO_POD,
} from './base_chains.ts';
import { ChainBuilder } from './chains.ts';
import type { Ruleset, Verdict } from './ruleset.ts';
import { addressType, prefixText, SetBuilder } from './set_builder.ts';

const FAMILIES: readonly Family[] = [4, 6];

export function compile(inputs: PolicyInputs): Ruleset {
  const settings = filterSettings(inputs.felixConfiguration, inputs.ipPools);
  const profileOf = profileLookup(inputs.profiles);
  const sets = new SetBuilder(membersOf(inputs, profileOf));
  const chains = new ChainBuilder(sets, profileOf, settings);
  for (const [name, chain] of baseChains(settings)) chains.add(name, chain);
  addDispatch(inputs, profileOf, sets, chains);
  addSources(inputs.localEndpoints, settings, sets);
  addNodes(inputs, sets);
  addPools(inputs, sets);
  return { chains: chains.chains, sets: sets.sets };
}

/** Per endpoint an element in each of two maps; programs are shared. */
function addDispatch(
  inputs: PolicyInputs,
  profileOf: ProfileLookup,
  sets: SetBuilder,
  chains: ChainBuilder,
): void {
  const tiers = orderTiers(inputs.tiers, [
    ...inputs.networkPolicies,
    ...inputs.globalNetworkPolicies,
  ]);
  const from = new Map<string, Verdict>();
  const to = new Map<string, Verdict>();
  for (const endpoint of inputs.localEndpoints) {
    const { interfaceName, profiles = [] } = endpoint.spec;
    if (interfaceName === undefined) continue;
    const labels = endpointLabels(endpoint, profileOf);
    const out = chains.program('egress', applicable(tiers, 'egress', labels), profiles);
    const into = chains.program('ingress', applicable(tiers, 'ingress', labels), profiles);
    from.set(interfaceName, `goto ${out}`);
    to.set(interfaceName, `goto ${into}`);
  }
  sets.addVerdictMap(FROM_POD, 'egress program of each pod', from);
  sets.addVerdictMap(TO_POD, 'ingress program of each pod', to);
}

function addSources(
  endpoints: readonly WorkloadEndpoint[],
  { canSpoof }: FilterSettings,
  sets: SetBuilder,
): void {
  for (const family of FAMILIES) {
    const key = ['ifname', addressType(family)] as const;
    sets.add(podSources(family), {
      key,
      interval: false,
      comment: 'addresses of each pod',
      elements: sourcesOf(endpoints, family, endpointPrefixes),
    });
    if (!canSpoof) continue;
    sets.add(podSpoofed(family), {
      key,
      interval: true,
      comment: 'other addresses that each pod may send from',
      elements: sourcesOf(endpoints, family, ({ spec }) =>
        aggregate(prefixesOf(spec.allowSpoofedSourcePrefixes ?? [])),
      ),
    });
  }
}

function sourcesOf(
  endpoints: readonly WorkloadEndpoint[],
  family: Family,
  prefixesOfOne: (endpoint: WorkloadEndpoint) => readonly Prefix[],
): ReadonlyMap<string, undefined> {
  const sources = new Map<string, undefined>();
  for (const endpoint of endpoints) {
    const { interfaceName } = endpoint.spec;
    if (interfaceName === undefined) continue;
    for (const prefix of prefixesOfOne(endpoint)) {
      if (prefix.family !== family) continue;
      sources.set(`${interfaceName} . ${prefixText(prefix)}`, undefined);
    }
  }
  return sources;
}

/** Who may send tunnel packets: every node, and what the configuration adds. */
function addNodes({ nodes, felixConfiguration }: PolicyInputs, sets: SetBuilder): void {
  const external = prefixesOf(felixConfiguration?.spec.externalNodesList ?? []);
  const known = [...nodes.flatMap(nodePrefixes), ...external];
  for (const family of FAMILIES) {
    const own = known.filter((prefix) => prefix.family === family);
    sets.prefixes(nodeAddresses(family), family, own, true, 'addresses of all nodes');
  }
}

function nodePrefixes({ spec }: Node): Prefix[] {
  const texts = [
    spec.bgp?.ipv4Address,
    spec.bgp?.ipv6Address,
    ...(spec.addresses ?? []).map(({ address }) => address),
  ];
  return texts.flatMap((text) => {
    if (text === undefined) return [];
    const found = unlessUnreadable(() => parseInterfaceAddress(text));
    return found === undefined ? [] : [hostPrefix(found.address)];
  });
}

function addPools({ ipPools }: PolicyInputs, sets: SetBuilder): void {
  const all = prefixesOf(ipPools.map(({ spec }) => spec.cidr));
  const nat = prefixesOf(
    ipPools.filter(({ spec }) => spec.natOutgoing).map(({ spec }) => spec.cidr),
  );
  for (const family of FAMILIES) {
    const ofFamily = (prefixes: readonly Prefix[]): Prefix[] =>
      prefixes.filter((prefix) => prefix.family === family);
    sets.prefixes(allPools(family), family, ofFamily(all), true, 'all pools');
    sets.prefixes(natPools(family), family, ofFamily(nat), true, 'pools with natOutgoing');
  }
}
