// All resources of a kind, over as many pages as it takes.
import type { Kind } from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';
import type { Session } from './session.ts';

export type ResourceList = {
  readonly resources: readonly Resource[];
  /** etcd revision at which the list is exact. */
  readonly revision: bigint;
};

/** @param namespace '' for all */
export async function listResources(
  { connections }: Pick<Session, 'connections'>,
  kind: Kind,
  namespace = '',
): Promise<ResourceList> {
  const resources: Resource[] = [];
  let revision = 0n;
  let pageToken = '';
  do {
    const request = { kind, namespace, pageToken };
    const page = await connections.ask('api', (client) => client.list(request));
    resources.push(...page.resources);
    revision = page.revision;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return { resources, revision };
}
