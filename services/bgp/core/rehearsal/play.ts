// What a rehearsal consists of: who takes part, and what they say.
import { Afi, type Message, Safi } from '@calico/bgp-wire';
import { type Address, type Prefix, parseAddress } from '@calico/ip';
import type { AnyResource, IPPool, Kind, ResourceOf } from '@calico/model';
import { type ClusterResources, resourcesOf } from '../cluster/resources.ts';

export const NODE = 'rehearsal';
/** Documentation's addresses (RFC 5737) and AS numbers (RFC 5398): nothing of it leaves the process. */
export const OWN_ASN = 64_496;
const NETWORK = '192.0.2';
const OWN_NUMBER = 254;
const HOLD_SECONDS = 90;
/** Half of the prefixes are below 128.0.0.0: the runtime has two kinds of numbers. */
const POOLS = ['10.0.0.0/8', '198.18.0.0/15'];
const POOL_BASES = [0x0a00_0000, 0xc612_0000];

/** What somebody does in one scene: says something, or goes without a word and comes back. */
export type Line = readonly Uint8Array[] | 'leave';

/** A peer that is imagined. */
export type Actor = {
  readonly address: Address;
  readonly asn: number;
  /** What it says, scene by scene, over and over. To write it takes some steps. */
  readonly lines: () => Generator<void, readonly Line[], undefined>;
};

export type Play = {
  /** What the node is configured with. */
  readonly resources: () => ClusterResources;
  readonly actors: readonly Actor[];
  /** So many of them speak at once. */
  readonly atOnce: number;
  readonly scenes: number;
  /** The first of them, in small steps: most of their code runs for the first time. */
  readonly slowScenes: number;
};

export function addressOf(number: number): Address {
  return parseAddress(`${NETWORK}.${number}`);
}

export function openOf({ asn, address }: Actor): Message {
  const routerId = Number(address.value);
  const capabilities = [
    { kind: 'multiprotocol' as const, afi: Afi.Ipv4, safi: Safi.Unicast },
    { kind: 'four-octet-as' as const, asn },
  ];
  return { kind: 'open', asn, holdTimeSeconds: HOLD_SECONDS, routerId, capabilities };
}

/** Address blocks, in each pool every other. */
export function blockAt(index: number): Prefix {
  const base = POOL_BASES[index % POOL_BASES.length] ?? 0;
  return { family: 4, value: BigInt(base + index * 64), length: 26 };
}

/** Prefixes by their numbers. */
export function nlriOf(
  from: number,
  count: number,
  prefixAt: (index: number) => Prefix,
): { readonly prefix: Prefix }[] {
  return Array.from({ length: count }, (_, index) => ({ prefix: prefixAt(from + index) }));
}

/** The node and its pools, and what a play has besides. */
export function clusterWith(
  isMesh: boolean,
  others: readonly AnyResource[],
  programClusterRoutes: 'Enabled' | 'Disabled' = 'Enabled',
): ClusterResources {
  // What is in no pool is programmed anyway.
  const pools = programClusterRoutes === 'Enabled' ? POOLS : [...POOLS, '0.0.0.0/0'];
  return resourcesOf([
    nodeAt(NODE, OWN_NUMBER),
    resource('BGPConfiguration', 'default', {
      nodeToNodeMeshEnabled: isMesh,
      asNumber: OWN_ASN,
      programClusterRoutes,
      logSeverityScreen: 'Info',
      listenPort: 179,
    }),
    ...pools.map((cidr, index) => resource('IPPool', `pool-${index}`, poolSpec(cidr))),
    ...others,
  ]);
}

export function nodeAt(name: string, number: number): AnyResource {
  return resource('Node', name, { bgp: { ipv4Address: `${NETWORK}.${number}/24` } });
}

function poolSpec(cidr: string): IPPool['spec'] {
  return {
    cidr,
    vxlanMode: 'Never',
    ipipMode: 'Never',
    natOutgoing: false,
    disabled: false,
    disableBGPExport: false,
    blockSize: 26,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
    assignmentMode: 'Automatic',
  };
}

/**
 * As a parsed one is, and in its order: parsing would cost the event loop 20 ms, most of it for making
 * validators.
 */
export function resource<K extends Kind>(
  kind: K,
  name: string,
  spec: ResourceOf<K>['spec'],
): AnyResource {
  return { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec } as AnyResource;
}
