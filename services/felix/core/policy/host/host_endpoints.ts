// Which host endpoint speaks for which interface of this host.
import type { HostEndpoint } from '@calico/model';

/** An interface of the host, other than those of pods, with its addresses in their usual form. */
export type HostInterface = { readonly name: string; readonly addresses: readonly string[] };

export type HostBindings = {
  /** By the interface's name. */
  readonly named: ReadonlyMap<string, HostEndpoint>;
  /** For every other interface but the loopback and those of pods. */
  readonly rest: HostEndpoint | undefined;
};

const ALL = '*';

/**
 * One that names the interface comes before one that expects an address of it; among equals the first name counts.
 * `interfaces` is needed for those that only expect addresses.
 */
export function bindHostEndpoints(
  node: string,
  endpoints: readonly HostEndpoint[],
  interfaces: readonly HostInterface[],
): HostBindings {
  const own = endpoints
    .filter(({ spec }) => spec.node === node)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const named = new Map<string, HostEndpoint>();
  const bind = (name: string, endpoint: HostEndpoint): void => {
    if (!named.has(name)) named.set(name, endpoint);
  };
  for (const endpoint of own) {
    const { interfaceName } = endpoint.spec;
    if (interfaceName !== undefined && interfaceName !== ALL) bind(interfaceName, endpoint);
  }
  for (const endpoint of own) {
    const { interfaceName, expectedIPs = [] } = endpoint.spec;
    if (interfaceName !== undefined) continue;
    for (const { name, addresses } of interfaces) {
      if (addresses.some((address) => expectedIPs.includes(address))) bind(name, endpoint);
    }
  }
  return { named, rest: own.find(({ spec }) => spec.interfaceName === ALL) };
}
