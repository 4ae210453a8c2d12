// What a node has told of its speaker to status: it can be asked for from anywhere.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GetSpeakerResponse, GetSpeakerResponseSchema } from '@calico/proto/bgp/v1/bgp';
import type { BgpPeerStatus } from '@calico/proto/events/v1/events';
import type { NodeStatus } from '@calico/proto/status/v1/status';
import type { Connections } from '../connections.ts';

/** @throws RpcError when there is no such node */
export async function reportedPeers(
  connections: Connections,
  node: string,
): Promise<[peers: readonly BgpPeerStatus[], speaker: GetSpeakerResponse]> {
  const [reports, { nodes }] = await connections.ask('status', (client) =>
    Promise.all([client.listPeers({ node }), client.listNodes({})]),
  );
  const { create } = await import('@bufbuild/protobuf');
  const { GetSpeakerResponseSchema: Schema } = await import('@calico/proto/bgp/v1/bgp');
  const status = nodes.find((each) => each.node === node);
  const peers = reports.nodes.flatMap((report) => report.peers);
  return [peers, create(Schema, { node, ...(status === undefined ? {} : speakerOf(status)) })];
}

/** As far as it is reported: AS number and router id are not. */
function speakerOf({
  health,
  applied,
}: NodeStatus): MessageInitShape<typeof GetSpeakerResponseSchema> {
  const own = health.find(({ component }) => component === 'bgp');
  const { revision = 0n, inSync = false } =
    applied.find(({ component }) => component === 'bgp') ?? {};
  // Of a node that has fallen silent, status says so.
  const silence = health.filter(({ component }) => component === 'status');
  return {
    version: own?.version ?? '',
    ready: own?.ready ?? false,
    appliedRevision: revision,
    inSync,
    problems: [...(own?.messages ?? []), ...silence.flatMap(({ messages }) => messages)],
  };
}
