// The looking glass: routes, and why a route is what it is.
import { comparePrefixes, parsePrefix } from '@calico/ip';
import {
  type ExplainResponse,
  type ListRoutesResponse,
  PathVerdict,
} from '@calico/proto/bgp/v1/bgp';
import { formatTidyColumns, TidyColumns } from './columns.ts';

/** How routes are shown. */
export type RouteColumns = {
  /** Also what most people need seldom: origin, who reflected or aggregated it, who injected it. */
  readonly isWide?: boolean;
  /** Of what a peer has been told it is not known where it came from. */
  readonly isTold?: boolean;
  /** Rejected routes may be among those of later pages. */
  readonly mayReject?: boolean;
};

/** Routes between two places in the order of prefixes. */
export type RoutePage = {
  readonly routes: readonly ListRoutesResponse[];
  /** Whether others follow. */
  readonly isLast: boolean;
};

type Column = readonly [heading: string, of: (route: ListRoutesResponse) => string];

const MARKS: Column = [
  '',
  ({ best, multipath, stale, rejectedBecause }) =>
    `${best ? '*' : ''}${multipath ? '=' : ''}${stale ? 's' : ''}${rejectedBecause ? 'x' : ''}`,
];
const FROM: Column = ['FROM', ({ learnedFrom }) => learnedFrom || 'this node'];
const WIDE: readonly Column[] = [
  ['ORIGIN', ({ origin }) => origin || '-'],
  ['ORIGINATOR', ({ originatorId }) => originatorId || '-'],
  ['CLUSTERS', ({ clusterList }) => clusterList.join(' ') || '-'],
  [
    'AGGREGATOR',
    ({ aggregator, atomicAggregate }) =>
      `${aggregator || '-'}${atomicAggregate ? ' (atomic)' : ''}`,
  ],
  ['CLIENT', ({ client }) => client || '-'],
];
const REJECTED: Column = ['REJECTED BECAUSE', ({ rejectedBecause }) => rejectedBecause];

/**
 * Routes in pages. "*" marks the best path, "=" one that is used beside it, "s" one that its peer has not
 * repeated yet, "x" one that was rejected.
 */
export class RouteTable {
  readonly #options: RouteColumns;
  readonly #lines = new TidyColumns();
  #columns: readonly Column[] | undefined;

  constructor(options: RouteColumns = {}) {
    this.#options = options;
  }

  /** The first page brings the headings, and says how wide columns are. */
  format({ routes, isLast }: RoutePage): string {
    const rowsWith = (columns: readonly Column[]): string[][] =>
      sortRoutes(routes).map((route) => columns.map(([, of]) => of(route)));
    if (this.#columns !== undefined) return this.#lines.format(rowsWith(this.#columns));
    if (routes.length === 0) return 'No routes found.\n';
    const isRejected = routes.some(({ rejectedBecause }) => rejectedBecause !== '');
    const columns = this.#choose(isRejected || (!isLast && this.#options.mayReject === true));
    this.#columns = columns;
    return this.#lines.format([columns.map(([heading]) => heading), ...rowsWith(columns)]);
  }

  #choose(hasRejected: boolean): readonly Column[] {
    const { isWide = false, isTold = false } = this.#options;
    return [
      ...(isTold ? [] : [MARKS]),
      ['PREFIX', ({ prefix }) => prefix],
      ['NEXT HOP', ({ nextHop }) => nextHop || '-'],
      ...(isTold ? [] : [FROM]),
      ['PREF', ({ localPreference }) => String(localPreference ?? '-')],
      ['MED', ({ multiExitDiscriminator }) => String(multiExitDiscriminator ?? '-')],
      ['AS PATH', ({ asPathText }) => asPathText || '-'],
      ['COMMUNITIES', (route) => communitiesOf(route).join(' ') || '-'],
      ...(isWide ? WIDE : []),
      ...(hasRejected ? [REJECTED] : []),
    ];
  }
}

/** By prefix, the best path of each first. */
export function sortRoutes(routes: readonly ListRoutesResponse[]): ListRoutesResponse[] {
  return routes
    .map((route) => ({ route, prefix: parsePrefix(route.prefix) }))
    .toSorted(
      (a, b) => comparePrefixes(a.prefix, b.prefix) || Number(b.route.best) - Number(a.route.best),
    )
    .map(({ route }) => route);
}

function communitiesOf(route: ListRoutesResponse): string[] {
  const { communities, extendedCommunities, largeCommunities } = route;
  const named = communities.map((text) => COMMUNITY_NAMES.get(text) ?? text);
  return [...named, ...extendedCommunities, ...largeCommunities];
}

/** Well-known communities, as `bgp inject` takes them. The codec knows them as well, and costs too much here. */
const COMMUNITY_NAMES: ReadonlyMap<string, string> = new Map([
  ['65535:0', 'graceful-shutdown'],
  ['65535:6', 'llgr-stale'],
  ['65535:7', 'no-llgr'],
  ['65535:666', 'blackhole'],
  ['65535:65281', 'no-export'],
  ['65535:65282', 'no-advertise'],
  ['65535:65283', 'no-export-subconfed'],
  ['65535:65284', 'no-peer'],
]);

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
  { prefix, paths, exports, kernel, services }: ExplainResponse,
): string {
  const ofServices = services.length === 0 ? [] : ['\n', ...services.map((text) => `${text}\n`)];
  if (prefix === '') {
    const none = `Nobody has told this node of a route to ${asked}, and it has none of its own.\n`;
    return [none, ...ofServices].join('');
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
    formatTidyColumns([['VERDICT', 'FROM', 'NEXT HOP', 'AS PATH', 'BECAUSE'], ...pathRows]),
    '\nTold to peers\n',
    exports.length === 0
      ? 'No peers found.\n'
      : formatTidyColumns([['PEER', 'TOLD', 'NEXT HOP', 'BECAUSE'], ...exportRows]),
    `\nKernel: ${kernel}\n`,
    ...ofServices,
  ].join('');
}
