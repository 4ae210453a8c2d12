// One line about a node, from its reports. Pure.
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { EndpointState } from '@calico/proto/events/v1/events';
import type { NodeStatusSchema } from '@calico/proto/status/v1/status';
import type { NodeReports } from './node_reports.ts';

export type NodeStatus = MessageInitShape<typeof NodeStatusSchema>;

/** What has said nothing for this long is taken for gone: three missed heartbeats. */
const SILENT_AFTER_MS = 30_000;

const COMPONENTS = ['felix', 'bgp'] as const;

export function nodeStatus(
  node: string,
  reports: NodeReports | undefined,
  now: number,
): NodeStatus {
  const health = [...(reports?.health.values() ?? [])];
  const complaints = complaintsOf(reports, now);
  const peers = reports?.peers?.peers ?? [];
  const endpoints = reports?.endpoints.flatMap((part) => part.endpoints) ?? [];
  return {
    node,
    ready: complaints.length === 0 && health.every(({ ready }) => ready),
    applied: [...(reports?.applied.values() ?? [])],
    health: [
      ...health,
      ...(complaints.length === 0
        ? []
        : [{ node, component: 'status', ready: false, messages: complaints }]),
    ],
    peersEstablished: peers.filter(({ state }) => state === 'Established').length,
    peersTotal: peers.length,
    endpointsUp: endpoints.filter(({ state }) => state === EndpointState.UP).length,
    endpointsTotal: endpoints.length,
    ...(reports === undefined ? {} : { lastReport: timestampFromMs(reports.lastReportAt) }),
  };
}

function complaintsOf(reports: NodeReports | undefined, now: number): string[] {
  if (reports === undefined) return ['has never reported'];
  if (isSilent(reports.lastReportAt, now)) return [silence('node', reports.lastReportAt)];
  return COMPONENTS.flatMap((component) => {
    const heardAt = reports.heardAt.get(component);
    if (heardAt === undefined || !reports.health.has(component)) {
      return [`${component} has not reported`];
    }
    return isSilent(heardAt, now) ? [silence(component, heardAt)] : [];
  });
}

function isSilent(heardAt: number, now: number): boolean {
  return now - heardAt > SILENT_AFTER_MS;
}

/** A moment, not a duration: the text stays the same while nothing changes. */
function silence(who: string, heardAt: number): string {
  return `${who} has not reported since ${new Date(heardAt).toISOString()}`;
}
