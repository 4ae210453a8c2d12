// From which addresses each pod may send.
import { aggregate, type Family, type Prefix } from '@calico/ip';
import type { WorkloadEndpoint } from '@calico/model';
import { endpointPrefixes, prefixesOf } from '../meaning/members.ts';
import type { NamedSet } from './ruleset.ts';
import { addressType, prefixText } from './set_builder.ts';

type SetOptions = Omit<NamedSet, 'kind' | 'elements'>;

export function sourceSet(family: Family): SetOptions {
  return {
    key: ['ifname', addressType(family)],
    interval: false,
    comment: 'addresses of each pod',
  };
}

export function spoofedSet(family: Family): SetOptions {
  const comment = 'other addresses that each pod may send from';
  return { key: ['ifname', addressType(family)], interval: true, comment };
}

/** "cali1 . 10.0.0.1" for every address of the endpoint. */
export function sourceElements(endpoint: WorkloadEndpoint, family: Family): string[] {
  return elementsFor(endpoint, family, endpointPrefixes(endpoint));
}

export function spoofedElements(endpoint: WorkloadEndpoint, family: Family): string[] {
  const allowed = prefixesOf(endpoint.spec.allowSpoofedSourcePrefixes ?? []);
  return elementsFor(endpoint, family, aggregate(allowed));
}

function elementsFor(
  { spec }: WorkloadEndpoint,
  family: Family,
  prefixes: readonly Prefix[],
): string[] {
  const { interfaceName } = spec;
  if (interfaceName === undefined) return [];
  return prefixes
    .filter((prefix) => prefix.family === family)
    .map((prefix) => `${interfaceName} . ${prefixText(prefix)}`);
}

/** Endpoints in an order of their own: of two with one interface the one with the least rank counts. */
export function endpointRank({ metadata }: WorkloadEndpoint): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
