// The deletion of a node: ipam gives back what it holds for it, and deletes it with that.
import type { Session } from '../session.ts';

/** Answers the revision of the deletion. */
export async function removeNode({ connections }: Session, node: string): Promise<bigint> {
  await connections.ask('api', (client) => client.get({ key: { kind: 'Node', name: node } }));
  const { revision } = await connections.ask('ipamAdmin', (client) => client.removeNode({ node }));
  return revision;
}
