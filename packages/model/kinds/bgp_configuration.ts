import { parsePrefix, prefixesOverlap } from '@calico/ip';
import * as z from 'zod';
import type { ObjectMeta } from '../resource.ts';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { bfdSettings } from './bfd.ts';
import { bmpSettings } from './bmp.ts';
import { peerAddress } from './peer_address.ts';
import {
  address,
  asNumber,
  duration,
  exactNet,
  integer,
  isCommunity,
  maybeAsNumber,
  ofFamily,
  port,
  shortName,
  textThat,
} from './scalars.ts';

export const PROGRAM_CLUSTER_ROUTES = [
  'Disabled',
  'EnabledNoEncapOnly',
  'EnabledIPIPOnly',
  'Enabled',
] as const;
export const routePriority = integer(1, 2_147_483_646);

export const community = textThat((text) =>
  isCommunity(text) ? undefined : 'expected a community: "aa:nn" or "aa:nn:mm"',
);

const ignoredInterface = textThat((text) =>
  /^[a-zA-Z0-9_.*-]{1,15}$/.test(text) && text !== '*'
    ? undefined
    : 'expected an interface name, or a pattern such as "docker*" (not "*" alone)',
);

/** A key of a secret that lies outside of this model. */
export function secretReference(style: SchemaStyle) {
  return style.object({
    secretKeyRef: style
      .object({ name: z.string().min(1), key: z.string().min(1), optional: z.boolean().optional() })
      .optional(),
  });
}

function bgpConfigurationFields(style: SchemaStyle) {
  const cidrs = z.array(style.object({ cidr: exactNet })).optional();
  return style.object({
    logSeverityScreen: z
      .enum(['Trace', 'Debug', 'Info', 'Warning', 'Error', 'Fatal', 'None'])
      .optional(),
    nodeToNodeMeshEnabled: z.boolean().optional(),
    /** Not upstream's. Auto: above meshLimit nodes, some of them reflect the routes of the others. */
    topology: z.enum(['Mesh', 'Auto']).optional(),
    meshLimit: integer(1, 10_000).optional(),
    asNumber: maybeAsNumber(style),
    serviceClusterIPs: cidrs,
    serviceExternalIPs: cidrs,
    serviceLoadBalancerIPs: cidrs,
    serviceLoadBalancerAggregation: z.enum(['Enabled', 'Disabled']).optional(),
    communities: z.array(style.object({ name: shortName, value: community })).optional(),
    prefixAdvertisements: z
      .array(style.object({ cidr: exactNet, communities: z.array(z.string()) }))
      .optional(),
    listenPort: port.optional(),
    nodeMeshPassword: secretReference(style).optional(),
    nodeMeshMaxRestartTime: duration.optional(),
    bindMode: z.enum(['None', 'NodeIP']).optional(),
    ignoredInterfaces: z.array(ignoredInterface).optional(),
    localWorkloadPeeringIPV4: ofFamily(4, address).optional(),
    localWorkloadPeeringIPV6: ofFamily(6, address).optional(),
    /** Ours: AS numbers of nodes that the outside takes for one (RFC 5065). */
    confederation: style
      .object({ identifier: asNumber(style), members: z.array(asNumber(style)).min(1) })
      .optional(),
    /** Ours: a node's blocks that lie side by side are one route, unless Disabled. */
    blockAggregation: z.enum(['Enabled', 'Disabled']).optional(),
    /** Ours: what becomes of paths with sets of AS numbers (RFC 9774), Reject unless it says Accept. */
    asSets: z.enum(['Accept', 'Reject']).optional(),
    /** Ours: external peers are told these in place of the routes inside, while there are any. */
    aggregates: cidrs,
    programClusterRoutes: z.enum(PROGRAM_CLUSTER_ROUTES).optional(),
    ipv4NormalRoutePriority: routePriority.optional(),
    ipv6NormalRoutePriority: routePriority.optional(),
    /** Of the mesh, and of every BGPPeer that does not say otherwise. */
    bfd: bfdSettings(style).optional(),
    /** Who is told the routes of every node. */
    bmp: bmpSettings(style).optional(),
    /** Ours: what peers say is written to files of the node (MRT, RFC 6396). */
    sessionRecording: style
      .object({
        /** As BGPPeer.peerIP names them; unset: all. */
        peers: z.array(peerAddress).optional(),
        /** Mebibytes of a file, of which there are two; unset: 64. */
        maxSize: integer(1, 4096).optional(),
      })
      .optional(),
  });
}

type Spec = z.output<ReturnType<typeof bgpConfigurationFields>>;

export function bgpConfigurationSpec(style: SchemaStyle) {
  return style.cross(
    bgpConfigurationFields(style),
    [['communities', 'prefixAdvertisements'], checkCommunities],
    [['nodeToNodeMeshEnabled'], checkMesh],
    [['aggregates'], checkAggregates],
  );
}

/** Fills the defaults of the cluster; a node's own configuration holds only what differs. */
export function completeBgpConfiguration(spec: Spec, metadata: ObjectMeta): Spec {
  if (metadata.name !== 'default') return spec;
  return {
    ...spec,
    logSeverityScreen: spec.logSeverityScreen ?? 'Info',
    nodeToNodeMeshEnabled: spec.nodeToNodeMeshEnabled ?? true,
    asNumber: spec.asNumber ?? 64_512,
    listenPort: spec.listenPort ?? 179,
    // Stored before AS 0 was refused.
    ...(spec.confederation?.identifier === 0 ? { confederation: undefined } : {}),
  };
}

function checkCommunities(spec: Spec, report: Report): void {
  const named = new Set(spec.communities?.map(({ name }) => name));
  for (const [index, advertisement] of (spec.prefixAdvertisements ?? []).entries()) {
    for (const [at, text] of advertisement.communities.entries()) {
      if (named.has(text) || isCommunity(text)) continue;
      const message = 'expected "aa:nn", "aa:nn:mm" or a name that spec.communities defines';
      report(['prefixAdvertisements', index, 'communities', at], text, message);
    }
  }
}

function checkAggregates({ aggregates = [] }: Spec, report: Report): void {
  const read = aggregates.map(({ cidr }) => parsePrefix(cidr));
  for (const [index, prefix] of read.entries()) {
    const other = read.findIndex((each, at) => at < index && prefixesOverlap(each, prefix));
    if (other < 0) continue;
    const message = `expected none that overlaps with spec.aggregates[${other}]`;
    report(['aggregates', index, 'cidr'], aggregates[index]?.cidr, message);
  }
}

function checkMesh(spec: Spec, report: Report): void {
  if (spec.nodeToNodeMeshEnabled !== false) return;
  for (const field of ['nodeMeshPassword', 'nodeMeshMaxRestartTime', 'topology'] as const) {
    if (spec[field] === undefined) continue;
    report([field], spec[field], 'expected none when nodeToNodeMeshEnabled is false');
  }
}
