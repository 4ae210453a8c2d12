// What IPAM holds for a node that is about to be deleted.
import { CommandError } from '../command_error.ts';
import type { Session } from '../session.ts';

/** Handles of the node's own addresses: of its tunnels, and those it holds ready for pods. */
const HANDLES = [
  'vxlan-tunnel-addr-',
  'vxlan-v6-tunnel-addr-',
  'ipip-tunnel-addr-',
  'wireguard-tunnel-addr-',
  'wireguard-v6-tunnel-addr-',
  'warm-addr-',
];
const PAGE = 1000;
const NAMED = 5;

/**
 * Releases the node's tunnel addresses and blocks. Before its deletion, so that both can be repeated.
 * @throws CommandError when there is no such node or workloads are still on it
 */
export async function releaseNode({ connections }: Session, node: string): Promise<void> {
  await connections.ask('api', (client) => client.get({ key: { kind: 'Node', name: node } }));
  await refuseWorkloads(connections, node);
  for (const prefix of HANDLES) {
    await connections.ask('ipam', (client) =>
      client.releaseByHandle({ handleId: `${prefix}${node}` }),
    );
  }
  await connections.ask('ipam', (client) => client.releaseAffinity({ node }));
}

async function refuseWorkloads(connections: Session['connections'], node: string): Promise<void> {
  const found: string[] = [];
  let pageToken = '';
  do {
    const request = { kind: 'WorkloadEndpoint', limit: PAGE, pageToken };
    const page = await connections.ask('api', (client) => client.list(request));
    for (const { namespace, name, json } of page.resources) {
      const { spec } = JSON.parse(json) as { spec?: { node?: unknown } };
      if (spec?.node === node) found.push(`${namespace}/${name}`);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  if (found.length === 0) return;
  const more = found.length > NAMED ? ` and ${found.length - NAMED} more` : '';
  throw new CommandError(
    `Cannot delete Node "${node}": ${found.length} workload endpoint(s) are on it: ${found.slice(0, NAMED).join(', ')}${more}`,
    { advice: 'Move its workloads away, or delete the workloadendpoints of a node that is gone.' },
  );
}
