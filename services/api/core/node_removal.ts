// What a node's deletion meets: workloads that are still said to run there.
import type { StoredResource } from './stored_resource.ts';

const NAMED = 5;

/** Why the node cannot be deleted; undefined when no endpoint is on it. */
export function nodeRemovalProblem(
  node: string,
  endpoints: readonly StoredResource[],
): string | undefined {
  const here = endpoints.filter(({ json }) => nodeOf(json) === node);
  if (here.length === 0) return undefined;
  const names = here.slice(0, NAMED).map(({ key }) => `${key.namespace}/${key.name}`);
  const more = here.length > NAMED ? ` and ${here.length - NAMED} more` : '';
  return (
    `Cannot delete Node "${node}": ${here.length} workload endpoint(s) are on it (${names.join(', ')}${more}); ` +
    'move its workloads away, or delete the WorkloadEndpoints of a node that is gone'
  );
}

/** Also of an endpoint that another writer left incomplete. */
function nodeOf(json: string): unknown {
  return (JSON.parse(json) as { spec?: { node?: unknown } }).spec?.node;
}
