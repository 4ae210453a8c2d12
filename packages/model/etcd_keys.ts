// Where resources and IPAM's objects lie in etcd: upstream's layout.
import { formatPrefix, IpError, type Prefix, parsePrefix } from '@calico/ip';
import { findKind, KINDS, type Kind, type ResourceKey } from './kinds.ts';

export const RESOURCE_ROOT = '/calico/resources/v3/projectcalico.org/';
export const IPAM_ROOT = '/calico/ipam/v2/';

/** "/calico/resources/v3/projectcalico.org/networkpolicies/default/allow-dns" */
export function resourcePath(key: ResourceKey): string {
  return `${resourcePrefix(key.kind, key.namespace)}${key.name}`;
}

/** What the paths of a kind (in a namespace, when given) start with; ends with "/". */
export function resourcePrefix(kind: Kind, namespace = ''): string {
  const info = KINDS[kind];
  const folder = `${RESOURCE_ROOT}${info.plural}/`;
  return info.namespaced && namespace !== '' ? `${folder}${namespace}/` : folder;
}

/** The key that a path stands for; undefined when it is no resource's. */
export function parseResourcePath(path: string): ResourceKey | undefined {
  if (!path.startsWith(RESOURCE_ROOT)) return undefined;
  const [plural = '', ...names] = path.slice(RESOURCE_ROOT.length).split('/');
  const info = findKind(plural);
  if (info === undefined || info.plural !== plural || names.includes('')) return undefined;
  if (names.length !== (info.namespaced ? 2 : 1)) return undefined;
  const name = names.at(-1) ?? '';
  return { kind: info.kind, namespace: info.namespaced ? (names[0] ?? '') : '', name };
}

/** "/calico/ipam/v2/assignment/ipv4/block/10.244.58.192-26" */
export function blockPath(cidr: Prefix): string {
  return `${IPAM_ROOT}assignment/ipv${cidr.family}/block/${dashed(cidr)}`;
}

/** "/calico/ipam/v2/host/node02/ipv4/block/10.244.58.192-26" */
export function affinityPath({ type, name }: AffinityOwner, cidr: Prefix): string {
  return `${IPAM_ROOT}${type}/${name}/ipv${cidr.family}/block/${dashed(cidr)}`;
}

/** "/calico/ipam/v2/handle/k8s-pod-network.3f2a…" */
export function handlePath(handleId: string): string {
  return `${IPAM_ROOT}handle/${handleId}`;
}

export type AffinityOwner = { readonly type: 'host' | 'virtual'; readonly name: string };

export type IpamPath =
  | { readonly kind: 'block'; readonly cidr: Prefix }
  | { readonly kind: 'affinity'; readonly owner: AffinityOwner; readonly cidr: Prefix }
  | { readonly kind: 'handle'; readonly handleId: string };

const BLOCK = /^assignment\/ipv[46]\/block\/([^/]+)$/;
const AFFINITY = /^(host|virtual)\/([^/]+)\/ipv[46]\/block\/([^/]+)$/;
const HANDLE = /^handle\/([^/]+)$/;

/** What an IPAM path stands for; undefined for a path of another shape. */
export function parseIpamPath(path: string): IpamPath | undefined {
  if (!path.startsWith(IPAM_ROOT)) return undefined;
  const rest = path.slice(IPAM_ROOT.length);
  const [, block] = BLOCK.exec(rest) ?? [];
  const [, type, name, affine] = AFFINITY.exec(rest) ?? [];
  const [, handleId] = HANDLE.exec(rest) ?? [];
  if (handleId !== undefined) return { kind: 'handle', handleId };
  const cidr = undash(block ?? affine ?? '');
  if (cidr === undefined) return undefined;
  if (type === undefined || name === undefined) return { kind: 'block', cidr };
  return { kind: 'affinity', owner: { type: type as AffinityOwner['type'], name }, cidr };
}

/** Name of a block as a resource: "10-244-58-192-26", "fd00-10-244--140-122". */
export function ipamBlockName(cidr: Prefix): string {
  return formatPrefix(cidr).replaceAll(/[.:/]/g, '-');
}

/** Name of an affinity as a resource: "<node>-10-244-58-192-26". */
export function blockAffinityName(node: string, cidr: Prefix): string {
  return `${node}-${ipamBlockName(cidr)}`;
}

function dashed(cidr: Prefix): string {
  return formatPrefix(cidr).replace('/', '-');
}

function undash(text: string): Prefix | undefined {
  try {
    return parsePrefix(text.replace(/-(?=[0-9]+$)/, '/'));
  } catch (cause) {
    if (cause instanceof IpError) return undefined;
    throw cause;
  }
}
