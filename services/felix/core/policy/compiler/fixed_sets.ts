// Sets that depend on nodes, pools and configuration alone.
import { FAMILIES, hostPrefix, type Prefix, parseInterfaceAddress } from '@calico/ip';
import type { Node } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { prefixesOf } from '../meaning/members.ts';
import { unlessUnreadable } from '../meaning/unreadable.ts';
import { allPools, natPools, nodeAddresses } from './base_chains.ts';
import type { SetBuilder } from './set_builder.ts';

export type FixedInputs = Pick<PolicyInputs, 'nodes' | 'ipPools' | 'felixConfiguration'>;

export function addFixedSets(inputs: FixedInputs, sets: SetBuilder): void {
  addNodes(inputs, sets);
  addPools(inputs, sets);
}

/** Who may send tunnel packets: every node, and what the configuration adds. */
function addNodes({ nodes, felixConfiguration }: FixedInputs, sets: SetBuilder): void {
  const external = prefixesOf(felixConfiguration?.spec.externalNodesList ?? []);
  const known = [...nodes.flatMap(nodePrefixes), ...external];
  for (const family of FAMILIES) {
    const own = known.filter((prefix) => prefix.family === family);
    sets.prefixes(nodeAddresses(family), family, own, 'addresses of all nodes');
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

function addPools({ ipPools }: FixedInputs, sets: SetBuilder): void {
  const all = prefixesOf(ipPools.map(({ spec }) => spec.cidr));
  const nat = prefixesOf(
    ipPools.filter(({ spec }) => spec.natOutgoing).map(({ spec }) => spec.cidr),
  );
  for (const family of FAMILIES) {
    const ofFamily = (prefixes: readonly Prefix[]): Prefix[] =>
      prefixes.filter((prefix) => prefix.family === family);
    sets.prefixes(allPools(family), family, ofFamily(all), 'all pools');
    sets.prefixes(natPools(family), family, ofFamily(nat), 'pools with natOutgoing');
  }
}
