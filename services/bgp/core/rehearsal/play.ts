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

/** Messages of one scene. */
export type Line = readonly Uint8Array[];

/** A peer that is imagined. */
export type Actor = {
  readonly address: Address;
  readonly asn: number;
  /** What it says, scene by scene, over and over. */
  readonly lines: () => readonly Line[];
};

export type Play = {
  /** What the node is configured with. */
  readonly resources: () => ClusterResources;
  readonly actors: readonly Actor[];
  /** So many of them speak at once. */
  readonly atOnce: number;
  readonly scenes: number;
  /** The first of them, of which every message is a step: most of their code runs for the first time. */
  readonly slowScenes: number;
};

export function addressOf(number: number): Address {
  return parseAddress(`${NETWORK}.${number}`);
}

export function openOf({ asn }: Actor, routerId: number): Message {
  const capabilities = [
    { kind: 'multiprotocol' as const, afi: Afi.Ipv4, safi: Safi.Unicast },
    { kind: 'four-octet-as' as const, asn },
  ];
  return { kind: 'open', asn, holdTimeSeconds: HOLD_SECONDS, routerId, capabilities };
}

/** Address blocks, in each pool every other. */
export function prefixesOf(from: number, count: number): { readonly prefix: Prefix }[] {
  return Array.from({ length: count }, (_, index) => ({ prefix: prefixAt(from + index) }));
}

function prefixAt(index: number): Prefix {
  const base = POOL_BASES[index % POOL_BASES.length] ?? 0;
  return { family: 4, value: BigInt(base + index * 64), length: 26 };
}

/** The node and its pools, and what a play has besides. */
export function clusterWith(isMesh: boolean, others: readonly AnyResource[]): ClusterResources {
  return resourcesOf([
    nodeAt(NODE, OWN_NUMBER),
    resource('BGPConfiguration', 'default', {
      asNumber: OWN_ASN,
      listenPort: 179,
      logSeverityScreen: 'Info',
      nodeToNodeMeshEnabled: isMesh,
      programClusterRoutes: 'Enabled',
    }),
    ...POOLS.map((cidr, index) => resource('IPPool', `pool-${index}`, poolSpec(cidr))),
    ...others,
  ]);
}

export function nodeAt(name: string, number: number): AnyResource {
  return resource('Node', name, { bgp: { ipv4Address: `${NETWORK}.${number}/24` } });
}

function poolSpec(cidr: string): IPPool['spec'] {
  return {
    cidr,
    blockSize: 26,
    ipipMode: 'Never',
    vxlanMode: 'Never',
    natOutgoing: false,
    disabled: false,
    disableBGPExport: false,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
    assignmentMode: 'Automatic',
  };
}

/** As a parsed one is: parsing would cost the event loop 20 ms, most of it for making validators. */
export function resource<K extends Kind>(
  kind: K,
  name: string,
  spec: ResourceOf<K>['spec'],
): AnyResource {
  return { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec } as AnyResource;
}
