// A service of Kubernetes as its announcement sees it.
import { hostPrefix, type Prefix, parseAddress, samePrefix } from '@calico/ip';
import {
  type KubernetesEndpointSlice,
  type KubernetesService,
  SERVICE_NAME_LABEL,
} from '@calico/model';

/** Which ranges of the configuration an address has to be in. */
export type AddressSort = 'cluster' | 'external' | 'load balancer';

export type ServiceAddress = {
  readonly sort: AddressSort;
  /** Of full length. */
  readonly prefix: Prefix;
};

export type ServiceView = {
  /** "shop/web" */
  readonly name: string;
  /** Only nodes with an endpoint deliver what comes from outside (externalTrafficPolicy: Local). */
  readonly isLocal: boolean;
  /** None for services that kube-proxy does nothing for: without a cluster address, or only a name. */
  readonly addresses: readonly ServiceAddress[];
};

export function viewService({ metadata, spec, status }: KubernetesService): ServiceView {
  const { type, clusterIP, clusterIPs, externalIPs, externalTrafficPolicy } = spec;
  const addresses: ServiceAddress[] = [];
  const add = (sort: AddressSort, texts: readonly (string | undefined)[]): void => {
    for (const text of texts) {
      if (text === undefined || text === '' || text === 'None') continue;
      const prefix = hostPrefix(parseAddress(text));
      const isKnown = (each: ServiceAddress) =>
        each.sort === sort && samePrefix(each.prefix, prefix);
      if (!addresses.some(isKnown)) addresses.push({ sort, prefix });
    }
  };
  add('cluster', [clusterIP, ...(clusterIPs ?? [])]);
  if (addresses.length > 0 && type !== 'ExternalName') {
    add('external', externalIPs ?? []);
    add('load balancer', status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? []);
  }
  return {
    name: nameText(metadata.namespace, metadata.name),
    isLocal: externalTrafficPolicy === 'Local',
    addresses: type === 'ExternalName' ? [] : addresses,
  };
}

/** The service that a slice belongs to; undefined: none. */
export function serviceOf({ metadata }: KubernetesEndpointSlice): string | undefined {
  const name = metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? undefined : nameText(metadata.namespace, name);
}

/** "shop/web" */
export function nameText(namespace = '', name: string): string {
  return `${namespace}/${name}`;
}
