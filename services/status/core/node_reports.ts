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
  /** All parts of the last complete division, the newest last. */
  readonly endpoints: readonly NodeEndpoints[];
  /** Of the division that was reported last: a felix that starts anew divides in its own way. */
  readonly endpointParts: ReadonlyMap<number, NodeEndpoints>;
  /** When each component was last heard of, milliseconds since the Unix epoch. */
  readonly heardAt: ReadonlyMap<string, number>;
  readonly lastReportAt: number;
};

/** Who reports what is not reported per component. */
const REPORTER = { peers: 'bgp', endpoints: 'felix' } as const;

const SILENCE: NodeReports = {
  applied: new Map(),
  health: new Map(),
  peers: undefined,
  endpoints: [],
  endpointParts: new Map(),
  heardAt: new Map(),
  lastReportAt: 0,
};

/** The story with one more report; pure. */
export function withReport(before: NodeReports = SILENCE, report: Report): NodeReports {
  const heard = { ...before, ...heardOf(before, report) };
  switch (report.topic) {
    case 'applied':
      return { ...heard, applied: withEntry(before.applied, report) };
    case 'health':
      return { ...heard, health: withEntry(before.health, report) };
    case 'peers':
      return { ...heard, peers: report.message };
    case 'endpoints':
      return { ...heard, ...withPart(before, report.message) };
    default:
      return report satisfies never;
  }
}

function withPart(
  before: NodeReports,
  message: NodeEndpoints,
): Pick<NodeReports, 'endpoints' | 'endpointParts'> {
  const { part, parts } = message;
  const others = [...before.endpointParts].filter(
    ([number, other]) => number !== part && other.parts === parts,
  );
  const endpointParts = new Map(others).set(part, message);
  const isComplete = endpointParts.size === parts;
  return { endpointParts, endpoints: isComplete ? [...endpointParts.values()] : before.endpoints };
}

function heardOf(
  before: NodeReports,
  { topic, component, receivedAt }: Report,
): Pick<NodeReports, 'heardAt' | 'lastReportAt'> {
  const reporter = topic === 'peers' || topic === 'endpoints' ? REPORTER[topic] : (component ?? '');
  const earlier = before.heardAt.get(reporter) ?? 0;
  return {
    heardAt: new Map(before.heardAt).set(reporter, Math.max(earlier, receivedAt)),
    lastReportAt: Math.max(before.lastReportAt, receivedAt),
  };
}

function withEntry<M>(
  map: ReadonlyMap<string, M>,
  { component = '', message }: { readonly component: string | undefined; readonly message: M },
): ReadonlyMap<string, M> {
  return new Map(map).set(component, message);
}
