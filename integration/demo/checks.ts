// What must be true in each mode, as values. Pure.
import { type Lab, type Mode, type NodePlan, UPLINK } from '../lab/mod.ts';

export const POD_MTU: Readonly<Record<Mode, number>> = {
  bgp: 1500,
  ipip: 1480,
  vxlan: 1450,
  crosssubnet: 1450,
};

/** Addresses the article's blocks lead to: in tunnel modes the node itself holds the block's first. */
export function firstPodOrdinal(mode: Mode): 192 | 193 {
  return mode === 'bgp' ? 192 : 193;
}

/** The route line that `ip route` on `here` must show for the block of `there`. */
export function blockRoute(mode: Mode, here: NodePlan, there: NodePlan): RegExp {
  const block = escape(there.block ?? '');
  const native = (protocol: string): RegExp =>
    new RegExp(`^${block} via ${escape(there.address)} dev ${UPLINK} proto ${protocol}\\s*$`, 'm');
  const tunnel = (device: string, protocol: string, gateway: string): RegExp =>
    new RegExp(`^${block} via ${gateway} dev ${escape(device)} proto ${protocol} onlink\\s*$`, 'm');
  switch (mode) {
    case 'bgp':
      return native('bird');
    case 'ipip':
      return tunnel('tunl0', 'bird', escape(there.address));
    case 'vxlan':
      return tunnel('vxlan.calico', '80', '10\\.244\\.\\d+\\.\\d+');
    case 'crosssubnet':
      return here.subnet === there.subnet
        ? native('80')
        : tunnel('vxlan.calico', '80', '10\\.244\\.\\d+\\.\\d+');
    default:
      return mode satisfies never;
  }
}

/** Every ordered pair of different things. */
export function pairs<A, B>(from: readonly A[], to: readonly B[]): (readonly [A, B])[] {
  return from.flatMap((a) => to.filter((b) => (a as unknown) !== b).map((b) => [a, b] as const));
}

export function articleNodes(lab: Lab): NodePlan[] {
  return lab.topology.nodes.filter(({ block }) => block !== undefined);
}

function escape(text: string): string {
  return text.replaceAll(/[.[\]/+?*(){}|^$\\]/g, '\\$&');
}
