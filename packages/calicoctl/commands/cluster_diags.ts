// `cluster diags`: every resource, the state of addresses and what nodes report, in one file.
import { tmpdir } from 'node:os';
import { KINDS } from '@calico/model';
import { commandPiece, type Piece, saveBundle } from '../diagnostics.ts';
import type { CommandAdder, Session } from '../session.ts';

export const addCluster: CommandAdder = (parent, run) => {
  parent
    .command('cluster')
    .description('look at the cluster as a whole')
    .command('diags')
    .description('gather resources, addresses and reports of all nodes in one file')
    .option('--output-dir <directory>', 'where the file goes', tmpdir())
    .addHelpText(
      'after',
      `
Example:
  calicoctl cluster diags

It asks api, ipam and status. For one node's kernel and sessions run "calicoctl node diags" there.`,
    )
    .action(({ outputDir }: { readonly outputDir: string }) =>
      run((session) =>
        saveBundle(session, 'calico-cluster-diags', clusterPieces(session), outputDir),
      ),
    );
};

function clusterPieces(session: Session): Piece[] {
  return [
    commandPiece(session, 'version.txt', 'version'),
    { path: 'status/nodes.json', content: () => statusText(session, 'nodes') },
    { path: 'status/peers.json', content: () => statusText(session, 'peers') },
    { path: 'status/endpoints.json', content: () => statusText(session, 'endpoints') },
    commandPiece(session, 'ipam/show.txt', 'ipam show --show-blocks'),
    commandPiece(session, 'ipam/borrowed.txt', 'ipam show --show-borrowed'),
    commandPiece(session, 'ipam/configuration.txt', 'ipam show --show-configuration'),
    commandPiece(session, 'ipam/check.txt', 'ipam check --show-all-ips'),
    commandPiece(session, 'policy_stats.txt', 'policy stats'),
    ...Object.values(KINDS).map(({ plural }) =>
      commandPiece(session, `resources/${plural}.yaml`, `get ${plural} -A -o yaml`),
    ),
  ];
}

async function statusText(
  { connections }: Session,
  what: 'nodes' | 'peers' | 'endpoints',
): Promise<string> {
  const { toJsonString } = await import('@bufbuild/protobuf');
  const schemas = await import('@calico/proto/status/v1/status');
  const options = { prettySpaces: 2 };
  return connections.ask('status', async (client) => {
    switch (what) {
      case 'nodes':
        return toJsonString(schemas.ListNodesResponseSchema, await client.listNodes({}), options);
      case 'peers':
        return toJsonString(schemas.ListPeersResponseSchema, await client.listPeers({}), options);
      default:
        return toJsonString(
          schemas.ListEndpointsResponseSchema,
          await client.listEndpoints({}),
          options,
        );
    }
  });
}
