// Who is in a rehearsal, and what they say.
import {
  Afi,
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeWithdrawal,
  type Message,
  Origin,
  type PathAttributes,
  Safi,
  type WireContext,
} from '@calico/bgp-wire';
import { type Address, type Prefix, parseAddress } from '@calico/ip';
import type { AnyResource, IPPool, Kind, ResourceOf } from '@calico/model';
import { type ClusterResources, resourcesOf } from '../cluster/resources.ts';

/** Documentation's addresses (RFC 5737) and AS numbers (RFC 5398): nothing of it leaves the process. */
const NETWORK = '192.0.2';
const OWN_ASN = 64_496;
/** Half of the prefixes are below 128.0.0.0: the runtime has two kinds of numbers. */
const POOLS = ['10.0.0.0/8', '198.18.0.0/15'];
const POOL_BASES = [0x0a00_0000, 0xc612_0000];

export const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };

export type ImaginedPeer = {
  readonly address: Address;
  readonly asn: number;
  readonly routerId: number;
  readonly nextHop: Address;
  /** Says something. */
  readonly tells: boolean;
};

/** Two tell the same prefixes; to the third all is told. */
export const PEERS: readonly ImaginedPeer[] = [1, 2, 3].map((number) => ({
  address: parseAddress(`${NETWORK}.${number}`),
  asn: OWN_ASN + number,
  routerId: number,
  nextHop: parseAddress(`${NETWORK}.${100 + number}`),
  tells: number < 3,
}));

/** As parsed ones are: parsing would cost the event loop 20 ms, most of it for making validators. */
export function resourcesFor(node: string): ClusterResources {
  return resourcesOf([
    resource('Node', node, { bgp: { ipv4Address: `${NETWORK}.254/24` } }),
    resource('BGPConfiguration', 'default', {
      asNumber: OWN_ASN,
      listenPort: 179,
      logSeverityScreen: 'Info',
      nodeToNodeMeshEnabled: false,
      programClusterRoutes: 'Enabled',
    }),
    ...POOLS.map((cidr, index) => resource('IPPool', `pool-${index}`, poolSpec(cidr))),
    resource('BGPFilter', 'nothing', { exportV4: [{ action: 'Reject' }] }),
    ...PEERS.map(({ asn, tells }, index) =>
      resource('BGPPeer', `peer-${index}`, {
        peerIP: `${NETWORK}.${index + 1}`,
        asNumber: asn,
        passive: true,
        ...(tells ? { filters: ['nothing'] } : {}),
      }),
    ),
  ]);
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

function resource<K extends Kind>(kind: K, name: string, spec: ResourceOf<K>['spec']): AnyResource {
  return { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec } as AnyResource;
}

export function openOf({ asn, routerId }: ImaginedPeer): Message {
  const capabilities = [
    { kind: 'multiprotocol' as const, afi: Afi.Ipv4, safi: Safi.Unicast },
    { kind: 'four-octet-as' as const, asn },
  ];
  return { kind: 'open', asn, holdTimeSeconds: 90, routerId, capabilities };
}

const PREFIXES = 128;
/** So many have the same attributes. */
const PER_SET = 4;

/** Messages of one scene. */
export type Line = readonly Uint8Array[];

/** What the peer says, scene by scene, over and over: a table, another of the same prefixes, no more. */
export function linesOf(peer: ImaginedPeer): readonly Line[] {
  if (!peer.tells) return [];
  return [announcements(peer, 0), announcements(peer, PREFIXES), withdrawals()];
}

/** @param first number of the first set of attributes */
function announcements({ asn, nextHop }: ImaginedPeer, first: number): Uint8Array[] {
  const sets = Array.from({ length: PREFIXES / PER_SET }, (_, set) => set);
  return sets.flatMap((set) => {
    const attributes = attributesOf(asn, first + set);
    const nlri = prefixesOf(set * PER_SET, PER_SET);
    return encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, CONTEXT);
  });
}

function withdrawals(): Uint8Array[] {
  return encodeWithdrawal(4, prefixesOf(0, PREFIXES), CONTEXT);
}

function prefixesOf(from: number, count: number): { readonly prefix: Prefix }[] {
  return Array.from({ length: count }, (_, index) => ({
    prefix: prefixAt(from + index),
  }));
}

function prefixAt(index: number): Prefix {
  const base = POOL_BASES[index % POOL_BASES.length] ?? 0;
  return { family: 4, value: BigInt(base + index * 64), length: 26 };
}

/** Another set for every number. */
function attributesOf(asn: number, number: number): PathAttributes {
  const hops = 2 + ((number + asn) % 4);
  const asns = Array.from({ length: hops }, (_, hop) => 1_000 + number * 7 + hop * 13);
  return {
    origin: Origin.Igp,
    asPath: [{ kind: 'sequence', asns: [asn, ...asns] }],
    multiExitDiscriminator: number,
    communities: Array.from(
      { length: 2 + (number % 4) },
      (_, at) => (3_000 + at) * 65_536 + number,
    ),
  };
}
