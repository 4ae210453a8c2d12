// Names that are computed from other names; the same as upstream's, so that both agree on them.
import { sha256 } from '@calico/selector';
import { sha1 } from './sha1.ts';

/** Host end of a pod's veth pair: "cali" and 11 hexadecimal digits. */
export function hostInterfaceName(namespace: string, pod: string): string {
  return `cali${hex(sha1(utf8(`${namespace}.${pod}`))).slice(0, 11)}`;
}

export type WorkloadEndpointIdentity = {
  readonly node: string;
  /** "k8s", "cni", "libnetwork" or another. */
  readonly orchestrator: string;
  /** Orchestrator "k8s". */
  readonly pod?: string | undefined;
  /** Orchestrator "cni". */
  readonly containerId?: string | undefined;
  /** Any other orchestrator. */
  readonly workload?: string | undefined;
  /** Name of the interface inside, for example "eth0". */
  readonly endpoint: string;
};

/**
 * Name of a WorkloadEndpoint: the parts with "-" doubled, joined by "-".
 * @throws RangeError when a part is empty or starts or ends with "-"
 */
export function workloadEndpointName(identity: WorkloadEndpointIdentity): string {
  const { node, orchestrator, endpoint } = identity;
  const parts = {
    node,
    orchestrator,
    [workloadField(orchestrator)]: workloadOf(identity),
    endpoint,
  };
  return Object.entries(parts)
    .map(([field, part]) => escapePart(field, part))
    .join('-');
}

/** Router id from the SHA-256 of a node's name: "109.174.215.226". */
export function routerIdFromName(nodeName: string): string {
  const [first = 0, ...rest] = sha256(utf8(nodeName)).subarray(0, 4);
  // 224 and above are multicast and reserved.
  return [first > 223 ? first - 32 : first, ...rest].join('.');
}

/** MAC address of a node's VXLAN device: 66 and five bytes of the SHA-1 of the node's name. */
export function vxlanTunnelMac(nodeName: string, family: 4 | 6 = 4): string {
  const name = family === 4 ? nodeName : `${nodeName}-v6`;
  const bytes = Uint8Array.of(0x66, ...sha1(utf8(name)).subarray(0, 5));
  return [...bytes].map(twoDigits).join(':');
}

function workloadField(orchestrator: string): string {
  if (orchestrator === 'k8s') return 'pod';
  return orchestrator === 'cni' ? 'containerId' : 'workload';
}

function workloadOf(identity: WorkloadEndpointIdentity): string {
  if (identity.orchestrator === 'k8s') return identity.pod ?? '';
  if (identity.orchestrator === 'cni') return identity.containerId ?? '';
  return identity.orchestrator === 'libnetwork' ? 'libnetwork' : (identity.workload ?? '');
}

function escapePart(field: string, part: string): string {
  if (part === '' || part.startsWith('-') || part.endsWith('-')) {
    throw new RangeError(
      `Cannot name workload endpoint: ${field} "${part}" is empty or starts or ends with "-"`,
    );
  }
  return part.replaceAll('-', '--');
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map(twoDigits).join('');
}

function twoDigits(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
