// One line about a node, from its reports. Pure.
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { EndpointState } from '@calico/proto/events/v1/events';
import type { NodeStatusSchema } from '@calico/proto/status/v1/status';
import type { NodeReports } from './node_reports.ts';

export type NodeStatus = MessageInitShape<typeof NodeStatusSchema>;

/** A node that has said nothing for this long is taken for gone: three missed heartbeats. */
export const SILENT_AFTER_MS = 30_000;

const COMPONENTS = ['felix', 'bgp'] as const;

export function nodeStatus(
  node: string,
  reports: NodeReports | undefined,
  now: number,
): NodeStatus {
  const health = [...(reports?.health.values() ?? [])];
  const complaints = complaintsOf(reports, now);
  const peers = reports?.peers?.peers ?? [];
  const endpoints = reports?.endpoints?.endpoints ?? [];
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
  const silentMs = now - reports.lastReportAt;
  if (silentMs > SILENT_AFTER_MS) return [`has not reported for ${Math.floor(silentMs / 1000)} s`];
  return COMPONENTS.filter((component) => !reports.health.has(component)).map(
    (component) => `${component} has not reported`,
  );
}
