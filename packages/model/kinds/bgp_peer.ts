import { firstAddress, isLinkLocal, parsePrefix } from '@calico/ip';
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { bfdSettings } from './bfd.ts';
import { secretReference } from './bgp_configuration.ts';
import { bgpPeerOptions, checkPeerOptions } from './bgp_peer_options.ts';
import { peerAddress, splitPeerAddress } from './peer_address.ts';
import { address, duration, integer, maybeAsNumber, nodeName, selector } from './scalars.ts';

function bgpPeerFields(style: SchemaStyle) {
  return style.object({
    node: nodeName.optional(),
    nodeSelector: selector.optional(),
    peerIP: peerAddress.optional(),
    peerSelector: selector.optional(),
    asNumber: maybeAsNumber(style),
    localASNumber: maybeAsNumber(style),
    nextHopMode: z.enum(['Auto', 'Self', 'Keep']).optional(),
    keepOriginalNextHop: z.boolean().optional(),
    password: secretReference(style).optional(),
    sourceAddress: z.enum(['UseNodeIP', 'None']).optional(),
    maxRestartTime: duration.optional(),
    keepaliveTime: duration.optional(),
    numAllowedLocalASNumbers: integer(0, 255).optional(),
    /** Hops that the peer may be away (RFC 5082). */
    ttlSecurity: integer(0, 255).optional(),
    reachableBy: address.optional(),
    filters: z.array(z.string()).optional(),
    localWorkloadSelector: selector.optional(),
    reversePeering: z.enum(['Auto', 'Manual']).optional(),
    /** Each field has the place of that of BGPConfiguration. */
    bfd: bfdSettings(style).optional(),
    ...bgpPeerOptions(style),
  });
}

type Spec = z.output<ReturnType<typeof bgpPeerFields>>;

export function bgpPeerSpec(style: SchemaStyle) {
  return style.cross(
    bgpPeerFields(style),
    [['node', 'nodeSelector', 'keepOriginalNextHop', 'nextHopMode'], checkScope],
    [
      [
        'peerIP',
        'peerSelector',
        'peerPrefix',
        'peerInterface',
        'asNumber',
        'remoteAS',
        'localWorkloadSelector',
        'reachableBy',
      ],
      checkFarEnd,
    ],
    [
      [
        'multihop',
        'ttlSecurity',
        'holdTime',
        'sendHoldTime',
        'role',
        'roleStrict',
        'localASNumber',
        'localASPrepend',
        'localASDual',
      ],
      checkPeerOptions,
    ],
  );
}

function checkScope(spec: Spec, report: Report): void {
  if (given(spec.node) && given(spec.nodeSelector)) {
    report(['nodeSelector'], spec.nodeSelector, 'expected none when spec.node is given');
  }
  if (spec.keepOriginalNextHop !== undefined && spec.nextHopMode !== undefined) {
    const message = 'expected none when spec.nextHopMode is given';
    report(['keepOriginalNextHop'], spec.keepOriginalNextHop, message);
  }
}

function checkFarEnd(spec: Spec, report: Report): void {
  const { peerIP, peerSelector, peerPrefix, peerInterface, localWorkloadSelector } = spec;
  const { reachableBy } = spec;
  const foreign = [peerIP, peerPrefix, peerInterface, localWorkloadSelector].filter(given);
  const farEnds = [peerSelector, ...foreign].filter(given);
  if (farEnds.length !== 1) {
    const fields = 'peerIP, peerSelector, peerPrefix, peerInterface or localWorkloadSelector';
    report([], undefined, `expected exactly one of ${fields}, found ${farEnds.length}`);
  }
  for (const field of ['asNumber', 'remoteAS'] as const) {
    if (!given(peerSelector) || spec[field] === undefined) continue;
    report([field], spec[field], 'expected none with peerSelector: nodes know their own');
  }
  if (foreign.length > 0 && spec.asNumber === undefined && spec.remoteAS === undefined) {
    const message =
      'is required except with peerSelector, or remoteAS "External" (any but our own) or "Internal" in its place';
    report(['asNumber'], undefined, message);
  }
  if (spec.asNumber !== undefined && spec.remoteAS !== undefined) {
    report(['remoteAS'], spec.remoteAS, 'expected none when spec.asNumber is given');
  }
  if (given(peerPrefix) && isLinkLocalRange(peerPrefix)) {
    const message =
      'expected no range in fe80::/10: an address there means something on one link only, name the peer by peerIP "fe80::1%eth1"';
    report(['peerPrefix'], peerPrefix, message);
  }
  if (given(reachableBy) && !given(peerIP)) {
    report(['reachableBy'], reachableBy, 'expected none without peerIP');
  } else if (given(reachableBy) && reachableBy.includes(':') !== isIpv6Peer(peerIP)) {
    report(['reachableBy'], reachableBy, 'expected an address of the same family as peerIP');
  }
}

function isLinkLocalRange(text: string): boolean {
  try {
    return isLinkLocal(firstAddress(parsePrefix(text)));
  } catch {
    // Its own schema says what is wrong with it.
    return false;
  }
}

/** Upstream writes absent texts as "". */
function given(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function isIpv6Peer(peerIP: string | undefined): boolean {
  return splitPeerAddress(peerIP ?? '')?.address.includes(':') ?? false;
}
