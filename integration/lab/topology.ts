// Names and addresses of a lab. Pure.
//
//                 ┌────────────── fabric (bridge br80; br81 and a router between in crosssubnet) ──────────────┐
//   control .10 ──┤ etcd NATS api ipam status                                                                  │
//   k8s-master .100, k8s-node01 .101, k8s-node02 .102 … uplink ens33, felix and bgp in each                    │
//                 └─────────────────────────────────────────────────────────────────────────────────────────────┘

export const MODES = ['bgp', 'ipip', 'vxlan', 'crosssubnet'] as const;
export type Mode = (typeof MODES)[number];

export const UPLINK = 'ens33';
export const CONTROL_ADDRESS = '192.168.80.10';
export const AS_NUMBER = 64512;
export const POOL = { name: 'default-ipv4-ippool', cidr: '10.244.0.0/16', blockSize: 26 } as const;
const MAX_NODES = 100;

export type NodePlan = {
  readonly name: string;
  /** Network namespace. */
  readonly namespace: string;
  readonly address: string;
  /** Third octet of its subnet: 80, or 81 behind the router. */
  readonly subnet: 80 | 81;
  /** Block claimed for it up front, so that the walk-through shows the article's addresses. */
  readonly block: string | undefined;
};

export type Topology = {
  readonly prefix: string;
  readonly mode: Mode;
  readonly fabric: string;
  readonly control: string;
  readonly nodes: readonly NodePlan[];
};

const ARTICLE_BLOCKS: Readonly<Record<string, string>> = {
  'k8s-master': '10.244.235.192/26',
  'k8s-node01': '10.244.85.192/26',
  'k8s-node02': '10.244.58.192/26',
};

export function planTopology(prefix: string, mode: Mode, nodeCount: number): Topology {
  if (!Number.isInteger(nodeCount) || nodeCount < 1 || nodeCount > MAX_NODES) {
    throw new RangeError(`Cannot plan a lab of ${nodeCount} nodes: 1 to ${MAX_NODES} are possible`);
  }
  const firstRemote = mode === 'crosssubnet' ? Math.ceil((nodeCount * 2) / 3) : nodeCount;
  const nodes = Array.from({ length: nodeCount }, (_, index): NodePlan => {
    const name = index === 0 ? 'k8s-master' : `k8s-node${String(index).padStart(2, '0')}`;
    const subnet = index < firstRemote ? 80 : 81;
    return {
      name,
      namespace: `${prefix}-${name}`,
      address: `192.168.${subnet}.${100 + index}`,
      subnet,
      block: ARTICLE_BLOCKS[name],
    };
  });
  return { prefix, mode, fabric: `${prefix}-fabric`, control: `${prefix}-control`, nodes };
}

/** Pool fields of a mode. */
export function poolModes(mode: Mode): { ipipMode: string; vxlanMode: string } {
  switch (mode) {
    case 'bgp':
      return { ipipMode: 'Never', vxlanMode: 'Never' };
    case 'ipip':
      return { ipipMode: 'Always', vxlanMode: 'Never' };
    case 'vxlan':
      return { ipipMode: 'Never', vxlanMode: 'Always' };
    case 'crosssubnet':
      return { ipipMode: 'Never', vxlanMode: 'CrossSubnet' };
    default:
      return mode satisfies never;
  }
}
