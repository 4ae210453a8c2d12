// What the derivation asks of the node itself.
import type { Address, Prefix } from '@calico/ip';
import type { SecretVersions } from './secrets.ts';

export type Surroundings = {
  readonly secrets: SecretVersions;
  /** The link-local address of an interface; undefined: it is not up, or has none. */
  readonly linkLocalAddress: (interfaceName: string) => Address | undefined;
  /** The router at the other end of a link; undefined: nobody has been heard of yet. */
  readonly neighbourOn: (interfaceName: string) => Address | undefined;
  /** What is announced as if `serviceClusterIPs` of BGPConfiguration said so, too. */
  readonly serviceClusterIPs: readonly Prefix[];
};

export const NO_SURROUNDINGS: Surroundings = {
  secrets: () => undefined,
  linkLocalAddress: () => undefined,
  neighbourOn: () => undefined,
  serviceClusterIPs: [],
};
