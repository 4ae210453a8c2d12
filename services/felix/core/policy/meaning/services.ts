// Services of Kubernetes, as rules name them: the addresses and ports of their EndpointSlices.
import { hostPrefix, type Prefix, parseAddress } from '@calico/ip';
import {
  type EntityRule,
  type KubernetesEndpointSlice,
  protocolNumber,
  SERVICE_NAME_LABEL,
} from '@calico/model';
import { parseSelector, type Selector } from '@calico/selector';
import type { Member, NamedPort } from './members.ts';
import { unlessUnreadable } from './unreadable.ts';

export type ServiceName = { readonly namespace: string; readonly name: string };

/** Slices are found among themselves alone, by this label: no selector of a rule sees them. */
const LABEL = 'service';
const NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/;

/** The service that one side of a rule names. `namespace` is that of the policy. Throws RangeError. */
export function serviceOf({ services }: EntityRule, namespace: string): ServiceName | undefined {
  if (services === undefined) return undefined;
  const service = { namespace: services.namespace ?? namespace, name: services.name };
  if (NAME.test(service.name) && NAME.test(service.namespace)) return service;
  throw new RangeError(
    `Cannot read service "${serviceText(service)}": a namespace and a name of letters, digits, "-" and "." are accepted`,
  );
}

/** "shop/web" */
export function serviceText({ namespace, name }: ServiceName): string {
  return `${namespace}/${name}`;
}

/** Finds the slices of a service. */
export function serviceSelector(service: ServiceName): Selector {
  return parseSelector(`${LABEL} == '${serviceText(service)}'`);
}

const known = new WeakMap<KubernetesEndpointSlice, Member>();

/** A slice, to be found by the selector of its service. What cannot be read of it is left out. */
export function sliceMember(slice: KubernetesEndpointSlice): Member {
  const before = known.get(slice);
  if (before !== undefined) return before;
  const { metadata, spec } = slice;
  const name = metadata.labels?.[SERVICE_NAME_LABEL];
  const member: Member = {
    labels:
      name === undefined
        ? {}
        : { [LABEL]: serviceText({ namespace: metadata.namespace ?? '', name }) },
    prefixes: (spec.endpoints ?? []).flatMap(({ addresses }) => addresses.flatMap(prefixesIn)),
    ports: (spec.ports ?? []).flatMap(portsIn),
  };
  known.set(slice, member);
  return member;
}

function prefixesIn(address: string): Prefix[] {
  const prefix = unlessUnreadable(() => hostPrefix(parseAddress(address)));
  return prefix === undefined ? [] : [prefix];
}

type SlicePort = NonNullable<KubernetesEndpointSlice['spec']['ports']>[number];

function portsIn({ name = '', protocol, port }: SlicePort): NamedPort[] {
  return port === undefined ? [] : [{ name, protocol: protocolNumber(protocol), port }];
}
