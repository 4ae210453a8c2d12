// The looking glass: peers, routes, and why a route is what it is.
import { compareAddresses, comparePrefixes, parseAddress, parsePrefix } from '@calico/ip';
import {
  type ExplainResponse,
  type ListRoutesResponse,
  PathVerdict,
} from '@calico/proto/bgp/v1/bgp';
import type { BgpPeerStatus } from '@calico/proto/events/v1/events';
import { formatColumns } from './columns.ts';

const PEER_HEADINGS = ['PEER', 'NODE', 'AS', 'STATE', 'FOR', 'RECEIVED', 'ADVERTISED'];

/** @param nowMs Unix time */
export function formatPeers(peers: readonly BgpPeerStatus[], nowMs: number): string {
  if (peers.length === 0) return 'No peers found.\n';
  // A column for what nobody uses would only be in the way.
  const isWatched = peers.some(({ bfd }) => bfd !== undefined);
  const rows = peers
    .toSorted((a, b) => compareAddresses(parseAddress(a.address), parseAddress(b.address)))
    .map((peer) => [
      peer.port === 0 || peer.port === 179 ? peer.address : `${peer.address} port ${peer.port}`,
      peer.remoteNode || '-',
      peer.remoteAsn === 0 ? '-' : String(peer.remoteAsn),
      peer.state,
      ageText(peer, nowMs),
      String(peer.prefixesReceived),
      String(peer.prefixesAdvertised),
      ...(isWatched ? [bfdText(peer)] : []),
      peer.lastError,
    ]);
  return tidy([[...PEER_HEADINGS, ...(isWatched ? ['BFD'] : []), 'INFO'], ...rows]);
}

/** One peer with everything that is known of it, a line each. */
export function formatPeer(peer: BgpPeerStatus, nowMs: number): string {
  const rows = [
    ['Peer', peer.address],
    ['Port', String(peer.port)],
    ['Node', peer.remoteNode],
    ['AS', peer.remoteAsn === 0 ? '' : String(peer.remoteAsn)],
    ['State', `${peer.state} for ${ageText(peer, nowMs)}`],
    ['Why', peer.lastError],
    ['Received', `${peer.prefixesReceived} routes`],
    ['Advertised', `${peer.prefixesAdvertised} routes`],
    ['BFD', peer.bfd === undefined ? '' : bfdText(peer)],
    ['Agreed', peer.agreed.join(', ')],
  ];
  return tidy(rows.filter(([, text]) => text !== ''));
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
function ageText({ since }: BgpPeerStatus, nowMs: number): string {
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

const ROUTE_HEADINGS = ['', 'PREFIX', 'NEXT HOP', 'FROM', 'PREF', 'MED', 'AS PATH', 'COMMUNITIES'];

/** "*" marks the best path, "s" one that its peer has not repeated yet, "x" one that was rejected. */
export function formatRoutes(routes: readonly ListRoutesResponse[]): string {
  if (routes.length === 0) return 'No routes found.\n';
  const hasRejected = routes.some(({ rejectedBecause }) => rejectedBecause !== '');
  const rows = routes
    .toSorted(
      (a, b) =>
        comparePrefixes(parsePrefix(a.prefix), parsePrefix(b.prefix)) ||
        Number(b.best) - Number(a.best),
    )
    .map((route) => [
      `${route.best ? '*' : ''}${route.stale ? 's' : ''}${route.rejectedBecause ? 'x' : ''}`,
      route.prefix,
      ...attributesOf(route),
      ...(hasRejected ? [route.rejectedBecause] : []),
    ]);
  return tidy([[...ROUTE_HEADINGS, ...(hasRejected ? ['REJECTED BECAUSE'] : [])], ...rows]);
}

function attributesOf(route: ListRoutesResponse): string[] {
  return [
    route.nextHop || '-',
    route.learnedFrom || 'this node',
    route.localPreference === undefined ? '-' : String(route.localPreference),
    route.multiExitDiscriminator === undefined ? '-' : String(route.multiExitDiscriminator),
    route.asPathText || '-',
    communitiesOf(route).join(' ') || '-',
  ];
}

function communitiesOf(route: ListRoutesResponse): string[] {
  const { communities, extendedCommunities, largeCommunities } = route;
  return [...communities, ...extendedCommunities, ...largeCommunities];
}

const VERDICTS: Readonly<Record<PathVerdict, string>> = {
  [PathVerdict.UNSPECIFIED]: 'unknown',
  [PathVerdict.BEST]: 'best',
  [PathVerdict.EQUAL]: 'equal',
  [PathVerdict.WORSE]: 'worse',
  [PathVerdict.REJECTED]: 'rejected',
};

/** @param asked what the question was about */
export function formatExplanation(
  asked: string,
  { prefix, paths, exports, kernel }: ExplainResponse,
): string {
  if (prefix === '') {
    return `Nobody has told this node of a route to ${asked}, and it has none of its own.\n`;
  }
  const pathRows = paths.map(({ route, verdict, reason }) => [
    VERDICTS[verdict] ?? 'unknown',
    route?.learnedFrom || 'this node',
    route?.nextHop || '-',
    route?.asPathText || '-',
    route?.stale ? `${reason} (not repeated yet)` : reason,
  ]);
  const exportRows = exports.map(({ peer, exported, reason, route }) => [
    peer,
    exported ? 'yes' : 'no',
    route?.nextHop || '-',
    reason,
  ]);
  return [
    `${prefix}\n\nPaths\n`,
    tidy([['VERDICT', 'FROM', 'NEXT HOP', 'AS PATH', 'BECAUSE'], ...pathRows]),
    '\nTold to peers\n',
    exports.length === 0
      ? 'No peers found.\n'
      : tidy([['PEER', 'TOLD', 'NEXT HOP', 'BECAUSE'], ...exportRows]),
    `\nKernel: ${kernel}\n`,
  ].join('');
}

/** Columns without what pads the ends of lines. */
function tidy(rows: readonly (readonly string[])[]): string {
  return formatColumns(rows)
    .trimEnd()
    .split('\n')
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
