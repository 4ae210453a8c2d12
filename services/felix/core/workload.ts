// A workload as felix knows it: one interface of one container.

/** Identifies an attachment, as the container runtime does. */
export type WorkloadKey = { readonly containerId: string; readonly interfaceName: string };

export type WorkloadPort = {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
};

/** What was asked for, validated. */
export type Workload = WorkloadKey & {
  /** Path of the network namespace. */
  readonly netns: string;
  /** CNI network name. */
  readonly network: string;
  readonly namespace: string;
  /** Empty: the container id names the workload. */
  readonly pod: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly ports: readonly WorkloadPort[];
  readonly ipv4Pools: readonly string[];
  readonly ipv6Pools: readonly string[];
  /** Canonical addresses without length. */
  readonly requestedAddresses: readonly string[];
  /** 0: by the pool's mode. */
  readonly mtu: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
};

/** Of a workload that nothing particular was asked for: one IPv4 address of any pool. */
export const NOTHING_PARTICULAR = {
  labels: {},
  serviceAccount: '',
  ports: [],
  ipv4Pools: [],
  ipv6Pools: [],
  requestedAddresses: [],
  mtu: 0,
  ipv4: true,
  ipv6: false,
} as const satisfies Partial<Workload>;

export type AssignedAddress = {
  /** Without length, for example "10.244.58.193". */
  readonly address: string;
  /** CIDR of the block. */
  readonly block: string;
  /** Name of the pool. */
  readonly pool: string;
};

/** One that the node holds ready, under a lease of its own. */
export type LeasedAddress = AssignedAddress & {
  /** Of the assignment to the node; decimal. */
  readonly sequenceNumber: string;
};

/**
 * What the journal keeps of a workload.
 *
 *     (none) --ADD--> adding --all steps done--> present
 *                       |                           |
 *                       | failed, or found after    | DEL
 *                       | a restart                 |
 *                       +-------> removing <--------+
 *                                    |
 *                                    +-- interface, policy, endpoint and address gone --> (none)
 *                                        (kept a while when the endpoint was not there: it may come)
 *
 * `adding` means that nobody was told that the workload exists: a restart takes everything back.
 */
export type WorkloadRecord = {
  readonly version: 1;
  readonly phase: 'adding' | 'present' | 'removing';
  readonly workload: Workload;
  readonly hostInterface: string;
  readonly containerMac: string;
  /** Name of the WorkloadEndpoint; empty when a removal does not know it. */
  readonly endpointName: string;
  /** IPAM handle. */
  readonly handle: string;
  readonly addresses: readonly AssignedAddress[];
  /** Those of `addresses` that IPAM still counts as the node's; absent: none. */
  readonly leased?: readonly LeasedAddress[];
  /** Interface MTU; 0 until the pool is known. */
  readonly mtu: number;
  /** What a removal still has to take back outside this node. */
  readonly pending: { readonly endpoint: boolean; readonly address: boolean };
  /**
   * All is removed, but no endpoint was found: one whose writing got no answer may still appear, until
   * then (milliseconds since the epoch). Absent: not looked for yet.
   */
  readonly watchedUntil?: number;
};

export function workloadKeyText(key: WorkloadKey): string {
  return `${key.containerId}/${key.interfaceName}`;
}

export function ipamHandle(network: string, containerId: string): string {
  return `${network}.${containerId}`;
}

/** MAC of the host end of every pod's veth pair. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee';
/** Next hop of every IPv4 pod; the host end answers for it by proxy ARP. */
export const GATEWAY_IPV4 = '169.254.1.1';
/** Next hop of every IPv6 pod: the host end's link-local address, EUI-64 of HOST_MAC. */
export const GATEWAY_IPV6 = 'fe80::ecee:eeff:feee:eeee';
