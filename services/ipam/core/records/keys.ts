// Where the records are in etcd: the keys that upstream Calico uses.
import { type Family, formatPrefix, type Prefix, parsePrefix } from '@calico/ip';

const RESOURCES = '/calico/resources/v3/projectcalico.org';

export const POOLS_PREFIX = `${RESOURCES}/ippools/`;
export const RESERVATIONS_PREFIX = `${RESOURCES}/ipreservations/`;
/** The v3 resource; where it exists it wins over CONFIG_KEY. */
export const CONFIG_RESOURCE_KEY = `${RESOURCES}/ipamconfigurations/default`;
/** What upstream's `calicoctl ipam configure` writes. */
export const CONFIG_KEY = '/calico/ipam/v2/config';

/** Handles whose assignments must not take effect any more; ours alone. */
export const GIVEN_UP_PREFIX = '/calico-ts/ipam/given-up/';

export function givenUpKey(handleId: string): string {
  return GIVEN_UP_PREFIX + handleId;
}

/** When the node last took an address of a block that is not its own; ours alone. */
export function elsewhereKey(node: string): string {
  return `/calico-ts/ipam/elsewhere/${node}`;
}

export function workloadEndpointKey(namespace: string, name: string): string {
  return `${RESOURCES}/workloadendpoints/${namespace}/${name}`;
}

export function nodeKey(node: string): string {
  return `${RESOURCES}/nodes/${node}`;
}

/** The profile that carries a namespace's labels. */
export function namespaceProfileKey(namespace: string): string {
  return `${RESOURCES}/profiles/kns.${namespace}`;
}

export function blocksPrefix(family: Family): string {
  return `/calico/ipam/v2/assignment/ipv${family}/block/`;
}

// A block's prefix stays the same object through its versions: its key is made once.
const blockKeys = new WeakMap<Prefix, string>();

export function blockKey(cidr: Prefix): string {
  const known = blockKeys.get(cidr);
  if (known !== undefined) return known;
  const made = blocksPrefix(cidr.family) + formatPrefix(cidr).replace('/', '-');
  blockKeys.set(cidr, made);
  return made;
}

export function affinitiesPrefix(node: string, family: Family): string {
  return `/calico/ipam/v2/host/${node}/ipv${family}/block/`;
}

export function affinityKey(node: string, cidr: Prefix): string {
  return affinitiesPrefix(node, cidr.family) + formatPrefix(cidr).replace('/', '-');
}

export function handleKey(handleId: string): string {
  return `/calico/ipam/v2/handle/${handleId}`;
}

/** The block a block or affinity key names; undefined when it names none. */
export function cidrOfKey(key: string): Prefix | undefined {
  const last = key.slice(key.lastIndexOf('/') + 1);
  const dash = last.lastIndexOf('-');
  if (dash < 0) return undefined;
  try {
    return parsePrefix(`${last.slice(0, dash)}/${last.slice(dash + 1)}`);
  } catch {
    return undefined;
  }
}
