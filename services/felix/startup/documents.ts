// The resources that the start-up writes, from what is stored and what was found. Pure.
import { API_VERSION, type ClusterInformation, type IPPool, type Node } from '@calico/model';
import type { StartupConfig } from './settings.ts';

export const DEFAULT_POOL = 'default-ipv4-ippool';

export type NodeFacts = {
  readonly name: string;
  /** "192.168.80.100/24"; undefined: none. */
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** Undefined: leave it as it is. */
  readonly asNumber: number | undefined;
  readonly kubernetesNode: string | undefined;
};

/** The Node as it should be; what the start-up does not know of is kept. */
export function nodeDocument(stored: Node | undefined, facts: NodeFacts): Node {
  const { ipv4Address: _4, ipv6Address: _6, ...bgp } = stored?.spec.bgp ?? {};
  const others = (stored?.spec.addresses ?? []).filter(({ type }) => type !== 'CalicoNodeIP');
  const own = [facts.ipv4, facts.ipv6].flatMap((address) =>
    address === undefined ? [] : [{ address, type: 'CalicoNodeIP' as const }],
  );
  const orchRefs = orchestratorsOf(stored, facts.kubernetesNode);
  return {
    apiVersion: API_VERSION,
    kind: 'Node',
    metadata: stored?.metadata ?? { name: facts.name },
    spec: {
      ...stored?.spec,
      bgp: {
        ...bgp,
        ...(facts.ipv4 !== undefined && { ipv4Address: facts.ipv4 }),
        ...(facts.ipv6 !== undefined && { ipv6Address: facts.ipv6 }),
        ...(facts.asNumber !== undefined && { asNumber: facts.asNumber }),
      },
      addresses: [...own, ...others],
      ...(orchRefs !== undefined && { orchRefs }),
    },
    ...(stored?.status && { status: stored.status }),
  };
}

function orchestratorsOf(stored: Node | undefined, kubernetesNode: string | undefined) {
  const refs = stored?.spec.orchRefs;
  if (kubernetesNode === undefined) return refs;
  const others = (refs ?? []).filter(({ orchestrator }) => orchestrator !== 'k8s');
  return [{ orchestrator: 'k8s', nodeName: kubernetesNode }, ...others];
}

/** The node, if any, other than `name` that has one of the addresses. */
export function nodeWithAddress(
  nodes: readonly Node[],
  name: string,
  addresses: readonly (string | undefined)[],
): { readonly node: string; readonly address: string } | undefined {
  const wanted = new Set(addresses.flatMap((each) => (each === undefined ? [] : [hostOf(each)])));
  for (const { metadata, spec } of nodes) {
    if (metadata.name === name) continue;
    for (const address of [spec.bgp?.ipv4Address, spec.bgp?.ipv6Address]) {
      if (address !== undefined && wanted.has(hostOf(address))) {
        return { node: metadata.name, address: hostOf(address) };
      }
    }
  }
  return undefined;
}

function hostOf(cidr: string): string {
  return cidr.split('/')[0] ?? cidr;
}

type PoolSettings = Pick<
  StartupConfig,
  'poolIpip' | 'poolVxlan' | 'poolBlockSize' | 'poolNatOutgoing' | 'poolNodeSelector'
>;

/** The pool that is created when there is no IPv4 pool. */
export function defaultPool(cidr: string, config: PoolSettings): IPPool {
  const vxlanMode = config.poolVxlan ?? 'Never';
  return {
    apiVersion: API_VERSION,
    kind: 'IPPool',
    metadata: { name: DEFAULT_POOL },
    spec: {
      cidr,
      ipipMode: config.poolIpip ?? (vxlanMode === 'Never' ? 'Always' : 'Never'),
      vxlanMode,
      natOutgoing: config.poolNatOutgoing,
      disabled: false,
      disableBGPExport: false,
      blockSize: config.poolBlockSize,
      nodeSelector: config.poolNodeSelector,
      allowedUses: ['Workload', 'Tunnel'],
      assignmentMode: 'Automatic',
    },
  };
}

/** The ClusterInformation as it should be; a cluster keeps its GUID, and its datastore stays locked if it is. */
export function clusterInformation(
  stored: ClusterInformation | undefined,
  facts: { readonly guid: string; readonly version: string; readonly types: readonly string[] },
): ClusterInformation {
  const spec = stored?.spec ?? {};
  const before = (spec.clusterType ?? '').split(',').filter((word) => word !== '');
  const types = [...new Set([...before, ...facts.types])];
  return {
    apiVersion: API_VERSION,
    kind: 'ClusterInformation',
    metadata: stored?.metadata ?? { name: 'default' },
    spec: {
      ...spec,
      clusterGUID: spec.clusterGUID || facts.guid,
      calicoVersion: facts.version,
      datastoreReady: spec.datastoreReady ?? true,
      ...(types.length > 0 && { clusterType: types.join(',') }),
    },
  };
}
