// Who has an address: the endpoints and network sets by which a selector may find it.
import { type Address, prefixContains } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import type { ProfileLookup } from '../meaning/labels.ts';
import { endpointPrefixes, type Member, membersOf } from '../meaning/members.ts';

export type Owner = Member & {
  /** "default/client" for a pod, "HostEndpoint eth0", "NetworkSet default/offices". */
  readonly name: string;
};

export function ownersOf(
  inputs: PolicyInputs,
  profileOf: ProfileLookup,
  address: Address,
): Owner[] {
  const none = { workloadEndpoints: [], hostEndpoints: [], networkSets: [], globalNetworkSets: [] };
  // Labels of all endpoints of a large cluster would cost seconds.
  const pods = inputs.workloadEndpoints.filter((endpoint) =>
    endpointPrefixes(endpoint).some((prefix) => prefixContains(prefix, address)),
  );
  const only = (one: AnyResource, list: Partial<PolicyInputs>): Owner[] =>
    membersOf({ ...inputs, ...none, ...list }, profileOf)
      .filter(({ prefixes }) => prefixes.some((prefix) => prefixContains(prefix, address)))
      .map((member) => ({ ...member, name: nameOf(one) }));
  return [
    ...pods.flatMap((one) => only(one, { workloadEndpoints: [one] })),
    ...inputs.hostEndpoints.flatMap((one) => only(one, { hostEndpoints: [one] })),
    ...inputs.networkSets.flatMap((one) => only(one, { networkSets: [one] })),
    ...inputs.globalNetworkSets.flatMap((one) => only(one, { globalNetworkSets: [one] })),
  ];
}

/** "default/client" for a pod; kind and name for anything else. */
export function nameOf(resource: AnyResource): string {
  const { kind, metadata } = resource;
  const { namespace = '', name } = metadata;
  if (kind === 'WorkloadEndpoint') {
    const { pod, containerID } = resource.spec;
    return `${namespace}/${pod ?? containerID ?? name}`;
  }
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
