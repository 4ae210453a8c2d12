// Sessions of the node's BGP speaker, and what it says of itself.
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { compareAddresses, parseAddress } from '@calico/ip';
import type { GetSpeakerResponse } from '@calico/proto/bgp/v1/bgp';
import {
  type BgpMessageCounts,
  type BgpPeerStatus,
  BgpPeerType,
} from '@calico/proto/events/v1/events';
import { formatTidyColumns } from './columns.ts';

const PEER_HEADINGS = ['PEER', 'NODE', 'AS', 'STATE', 'FOR', 'RECEIVED', 'ADVERTISED'];

/** @param nowMs Unix time */
export function formatPeers(peers: readonly BgpPeerStatus[], nowMs: number): string {
  if (peers.length === 0) return 'No peers found.\n';
  // A column for what nobody uses would only be in the way.
  const isWatched = peers.some(({ bfd }) => bfd !== undefined);
  const rows = peers
    .toSorted((a, b) => compareAddresses(parseAddress(a.address), parseAddress(b.address)))
    .map((peer) => [
      keyOf(peer),
      peer.remoteNode || '-',
      peer.remoteAsn === 0 ? '-' : String(peer.remoteAsn),
      peer.state,
      ageText(peer.since, nowMs),
      String(peer.prefixesReceived),
      String(peer.prefixesAdvertised),
      ...(isWatched ? [bfdText(peer)] : []),
      infoOf(peer),
    ]);
  return formatTidyColumns([[...PEER_HEADINGS, ...(isWatched ? ['BFD'] : []), 'INFO'], ...rows]);
}

const TYPES: Readonly<Record<BgpPeerType, string>> = {
  [BgpPeerType.UNSPECIFIED]: '',
  [BgpPeerType.NODE_MESH]: 'node-to-node mesh',
  [BgpPeerType.NODE]: 'node specific',
  [BgpPeerType.GLOBAL]: 'global',
};

/** One peer with everything that is known of it, a line each. */
export function formatPeer(peer: BgpPeerStatus, nowMs: number): string {
  const rows = [
    ['Peer', keyOf(peer)],
    ['Type', TYPES[peer.type] ?? ''],
    ['Port', String(peer.port)],
    ['Node', peer.remoteNode],
    ['AS', peer.remoteAsn === 0 ? '' : String(peer.remoteAsn)],
    ['State', `${peer.state} for ${ageText(peer.since, nowMs)}`],
    ['Why', peer.lastError],
    ['Received', [routesText(peer.prefixesReceived), ...keptOf(peer)].join(', ')],
    ['Advertised', routesText(peer.prefixesAdvertised)],
    ['Messages in', countsText(peer.messagesReceived)],
    ['Messages out', countsText(peer.messagesSent)],
    ['Malformed', malformedText(peer)],
    ['BFD', peer.bfd === undefined ? '' : bfdText(peer)],
    ['Lost', lossText(peer, nowMs)],
    ['Agreed', peer.agreed.join(', ')],
  ];
  return formatTidyColumns(rows.filter(([, text]) => text !== ''));
}

/** A change of a session, as a line of a log. */
export function formatPeerChange(peer: BgpPeerStatus, nowMs: number): string {
  const { remoteAsn, prefixesReceived, prefixesAdvertised, bfd } = peer;
  const info = [
    remoteAsn === 0 ? '' : `AS ${remoteAsn}`,
    `received ${prefixesReceived}`,
    `advertised ${prefixesAdvertised}`,
    bfd === undefined ? '' : `BFD ${bfdText(peer)}`,
    infoOf(peer),
  ];
  return formatChange(nowMs, `${keyOf(peer)} ${peer.state}: ${info.filter(Boolean).join(', ')}`);
}

/** A line that begins with the time of day. */
export function formatChange(nowMs: number, text: string): string {
  return `${new Date(nowMs).toTimeString().slice(0, 8)} ${text}\n`;
}

/** What is wrong with the speaker; nothing when nothing is. */
export function formatProblems(problems: readonly string[]): string {
  if (problems.length === 0) return '';
  return `\nProblems\n${problems.map((problem) => `  ${problem}\n`).join('')}`;
}

/** Why a speaker is a route reflector. */
const REFLECTORS: Readonly<Record<string, string>> = {
  configured: 'by routeReflectorClusterID of the Node',
  chosen: 'chosen by topology Auto',
  leaving: 'not any more, but for clients that have no other way yet',
};

export function formatSpeaker(speaker: GetSpeakerResponse): string {
  const { node, asn, routerId, version, appliedRevision, inSync, ready, problems } = speaker;
  const table = formatTidyColumns([
    ['Node', node],
    ['AS', asn === 0 ? '-' : String(asn)],
    ['Router id', routerId || '-'],
    ['Reflector', reflectorText(speaker)],
    ['Version', version],
    ['Ready', ready ? 'yes' : 'no'],
    ['Revision', `${appliedRevision}${inSync ? '' : ', not in sync yet'}`],
  ]);
  return `${table}${formatProblems(problems)}`;
}

function reflectorText({ clusterId, reflector }: GetSpeakerResponse): string {
  if (clusterId === '') return 'no';
  return `cluster ${clusterId}, ${REFLECTORS[reflector] ?? reflector}`;
}

/** As it can be given to commands; a speaker of another version may not say it. */
export function keyOf({ key, address }: BgpPeerStatus): string {
  return key || address;
}

export function routesText(count: number): string {
  return count === 1 ? '1 route' : `${count} routes`;
}

function infoOf(peer: BgpPeerStatus): string {
  return [peer.lastError, ...keptOf(peer)].filter((text) => text !== '').join(', ');
}

/** What became of routes that the peer has told, if anything is to be said of it. */
function keptOf({ prefixesRejected, prefixesStale }: BgpPeerStatus): string[] {
  return [
    ...(prefixesRejected === 0 ? [] : [`${prefixesRejected} rejected`]),
    ...(prefixesStale === 0 ? [] : [`${prefixesStale} stale`]),
  ];
}

/** "1 OPEN, 12 UPDATE, 41 KEEPALIVE". */
function countsText(counts: BgpMessageCounts | undefined): string {
  if (counts === undefined) return '';
  const { open, update, notification, keepalive, routeRefresh } = counts;
  const all = [
    [open, 'OPEN'],
    [update, 'UPDATE'],
    [notification, 'NOTIFICATION'],
    [keepalive, 'KEEPALIVE'],
    [routeRefresh, 'ROUTE-REFRESH'],
  ] as const;
  const said = all.filter(([count]) => count > 0n);
  return said.map(([count, type]) => `${count} ${type}`).join(', ') || 'none';
}

/** "2 treat-as-withdraw, 1 session-reset": UPDATEs; nothing when none was. */
function malformedText({ malformedUpdates }: BgpPeerStatus): string {
  if (malformedUpdates === undefined) return '';
  const { treatAsWithdraw, attributeDiscard, sessionReset } = malformedUpdates;
  const all = [
    [treatAsWithdraw, 'treat-as-withdraw'],
    [attributeDiscard, 'attribute-discard'],
    [sessionReset, 'session-reset'],
  ] as const;
  const said = all.filter(([count]) => count > 0n);
  return said.map(([count, treatment]) => `${count} ${treatment}`).join(', ');
}

/** "3 times, 5m12s ago: …"; nothing when it never was. */
function lossText({ losses, lastLoss }: BgpPeerStatus, nowMs: number): string {
  if (lastLoss === undefined) return '';
  const count = losses === 1 ? 'once' : `${losses} times`;
  return `${count}, last ${ageText(lastLoss.time, nowMs)} ago: ${lastLoss.reason}`;
}

/** "Up 300ms/900ms": between two packets, and until silence counts; or why it is not up. */
function bfdText({ bfd }: BgpPeerStatus): string {
  if (bfd === undefined) return '-';
  const { state, reason, transmitIntervalMs, detectionTimeMs } = bfd;
  if (state === 'Up') return `Up ${transmitIntervalMs}ms/${detectionTimeMs}ms`;
  return reason === '' ? state : `${state} (${reason})`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** The two largest units: "3d4h", "5m12s". */
function ageText(since: Timestamp | undefined, nowMs: number): string {
  if (since === undefined) return '-';
  let rest = Math.max(0, Math.floor(nowMs / 1000) - Number(since.seconds));
  const first = UNITS.findIndex(([, size]) => rest >= size);
  if (first < 0) return '0s';
  return UNITS.slice(first, first + 2)
    .map(([unit, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count === 0 ? '' : `${count}${unit}`;
    })
    .join('');
}
