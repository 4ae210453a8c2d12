// What nodes last said of themselves, by topic and component.
import type {
  NodeApplied,
  NodeEndpoints,
  NodeHealth,
  NodePeers,
} from '@calico/proto/events/v1/events';

/** A report as it came over the bus. */
export type Report =
  | ReportOf<'applied', NodeApplied>
  | ReportOf<'health', NodeHealth>
  | ReportOf<'peers', NodePeers>
  | ReportOf<'endpoints', NodeEndpoints>;

type ReportOf<T extends string, M> = {
  readonly topic: T;
  readonly node: string;
  readonly component: string | undefined;
  readonly message: M;
  /** Milliseconds since the Unix epoch. */
  readonly receivedAt: number;
};

/** One node's side of the story; components are "felix" and "bgp". */
export type NodeReports = {
  readonly applied: ReadonlyMap<string, NodeApplied>;
  readonly health: ReadonlyMap<string, NodeHealth>;
  readonly peers: NodePeers | undefined;
  readonly endpoints: NodeEndpoints | undefined;
  readonly lastReportAt: number;
};

const SILENCE: NodeReports = {
  applied: new Map(),
  health: new Map(),
  peers: undefined,
  endpoints: undefined,
  lastReportAt: 0,
};

/** The story with one more report; pure. */
export function withReport(before: NodeReports = SILENCE, report: Report): NodeReports {
  const lastReportAt = Math.max(before.lastReportAt, report.receivedAt);
  switch (report.topic) {
    case 'applied':
      return { ...before, lastReportAt, applied: withEntry(before.applied, report) };
    case 'health':
      return { ...before, lastReportAt, health: withEntry(before.health, report) };
    case 'peers':
      return { ...before, lastReportAt, peers: report.message };
    case 'endpoints':
      return { ...before, lastReportAt, endpoints: report.message };
    default:
      return report satisfies never;
  }
}

function withEntry<M>(
  map: ReadonlyMap<string, M>,
  { component = '', message }: { readonly component: string | undefined; readonly message: M },
): ReadonlyMap<string, M> {
  return new Map(map).set(component, message);
}
