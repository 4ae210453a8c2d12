// What a pod's pair of interfaces must look like, and how what is found differs.
import { parseAddress } from '@calico/ip';
import { type PodDeviceSettings } from './dataplane.ts';
import { GATEWAY_IPV4, GATEWAY_IPV6, HOST_MAC, type WorkloadRecord } from './workload.ts';

export type PodInterface = {
  readonly netns: string;
  readonly interfaceName: string;
  readonly hostInterface: string;
  readonly hostMac: string;
  readonly containerMac: string;
  readonly mtu: number;
  /** Without length. */
  readonly addresses: readonly string[];
};

export function podInterfaceOf(record: WorkloadRecord): PodInterface {
  return {
    netns: record.workload.netns,
    interfaceName: record.workload.interfaceName,
    hostInterface: record.hostInterface,
    hostMac: HOST_MAC,
    containerMac: record.containerMac,
    mtu: record.mtu,
    addresses: record.addresses.map(({ address }) => address),
  };
}

/** Gateways of a pod with these addresses, one per family. */
export function gatewaysOf(addresses: readonly string[]): string[] {
  const families = new Set(addresses.map((address) => parseAddress(address).family));
  return [...(families.has(4) ? [GATEWAY_IPV4] : []), ...(families.has(6) ? [GATEWAY_IPV6] : [])];
}

/** Both ends and what lies around them, as found. */
export type PodFindings = {
  readonly netnsExists: boolean;
  readonly host:
    | {
        readonly up: boolean;
        readonly mtu: number;
        readonly mac: string | undefined;
        readonly settings: PodDeviceSettings;
        /** Destinations (canonical CIDRs) routed to the device. */
        readonly routes: readonly string[];
      }
    | undefined;
  readonly container:
    | {
        readonly up: boolean;
        readonly mtu: number;
        readonly mac: string | undefined;
        /** The two ends belong together. */
        readonly isPeer: boolean;
        /** Canonical "address/length". */
        readonly addresses: readonly string[];
        /** Gateways with an on-link route and a default route through them. */
        readonly gateways: readonly string[];
        /** Permanent neighbour entries: address -> MAC. */
        readonly neighbours: ReadonlyMap<string, string>;
      }
    | undefined;
};

/** One sentence for each difference; empty when all is as it was set up. */
export function podDifferences(wanted: PodInterface, found: PodFindings): string[] {
  if (!found.netnsExists) return [`network namespace "${wanted.netns}" does not exist`];
  return [...hostDifferences(wanted, found.host), ...containerDifferences(wanted, found.container)];
}

function hostDifferences(wanted: PodInterface, host: PodFindings['host']): string[] {
  const name = wanted.hostInterface;
  if (host === undefined) return [`host interface "${name}" does not exist`];
  const problems: string[] = [];
  if (!host.up) problems.push(`host interface "${name}" is down`);
  if (host.mtu !== wanted.mtu) {
    problems.push(`host interface "${name}" has MTU ${host.mtu} instead of ${wanted.mtu}`);
  }
  if (host.mac !== wanted.hostMac) {
    problems.push(`host interface "${name}" has MAC ${host.mac} instead of ${wanted.hostMac}`);
  }
  if (!host.settings.proxyArp) problems.push(`host interface "${name}" has proxy_arp off`);
  if (!host.settings.forwarding) problems.push(`host interface "${name}" has forwarding off`);
  for (const address of wanted.addresses) {
    const cidr = cidrOf(address);
    if (!host.routes.includes(cidr)) problems.push(`host route "${cidr} dev ${name}" is missing`);
  }
  return problems;
}

function containerDifferences(wanted: PodInterface, container: PodFindings['container']): string[] {
  const name = wanted.interfaceName;
  if (container === undefined) {
    return [`interface "${name}" does not exist in "${wanted.netns}"`];
  }
  const problems: string[] = [];
  if (!container.isPeer) {
    problems.push(`interface "${name}" is not the peer of "${wanted.hostInterface}"`);
  }
  if (!container.up) problems.push(`interface "${name}" is down`);
  if (container.mtu !== wanted.mtu) {
    problems.push(`interface "${name}" has MTU ${container.mtu} instead of ${wanted.mtu}`);
  }
  if (container.mac !== wanted.containerMac) {
    problems.push(`interface "${name}" has MAC ${container.mac} instead of ${wanted.containerMac}`);
  }
  for (const address of wanted.addresses) {
    const cidr = cidrOf(address);
    if (!container.addresses.includes(cidr)) {
      problems.push(`address "${cidr}" is missing on "${name}"`);
    }
  }
  for (const gateway of gatewaysOf(wanted.addresses)) {
    if (!container.gateways.includes(gateway)) {
      problems.push(`default route via ${gateway} dev "${name}" is missing`);
    }
    const mac = container.neighbours.get(gateway);
    if (mac !== wanted.hostMac) {
      problems.push(`permanent neighbour ${gateway} on "${name}" is ${mac ?? 'missing'}`);
    }
  }
  return problems;
}

function cidrOf(address: string): string {
  return `${address}/${parseAddress(address).family === 4 ? 32 : 128}`;
}
