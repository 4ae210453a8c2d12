// A node that is removed: everything that is assigned to it goes first, then its record.
import { RESOURCE_ROOT } from '@calico/model';
import { isHeld } from '../block_algebra.ts';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Entry, type Program, plan } from '../program.ts';
import { affinitiesPrefix, blocksPrefix, elsewhereKey, nodeKey } from '../records/keys.ts';
import { parseJson } from '../records/lossless_json.ts';
import { readableBlock } from './stored_block.ts';

/** All WorkloadEndpoints. */
export const ENDPOINTS_PREFIX = `${RESOURCE_ROOT}workloadendpoints/`;

const NAMED = 5;

/** @throws IpamError 'precondition' when one of the endpoints is on the node */
export function refuseWorkloads(
  node: string,
  endpoints: readonly { readonly key: string; readonly value: string }[],
): void {
  const here = endpoints.filter(({ value }) => nodeOfEndpoint(value) === node);
  if (here.length === 0) return;
  const names = here.slice(0, NAMED).map(({ key }) => key.slice(ENDPOINTS_PREFIX.length));
  const more = here.length > NAMED ? ` and ${here.length - NAMED} more` : '';
  throw new IpamError(
    'precondition',
    `Cannot delete Node "${node}": ${here.length} workload endpoint(s) are on it: ${names.join(', ')}${more}`,
  );
}

function nodeOfEndpoint(json: string): unknown {
  try {
    return (parseJson(json) as { spec?: { node?: unknown } }).spec?.node;
  } catch {
    return undefined; // left incomplete by another writer
  }
}

/** The handles of all addresses that are assigned to the node, borrowed ones included. */
export function* handlesOfNode(node: string): Program<string[]> {
  const prefixes = ([4, 6] as const).map(blocksPrefix);
  const known = yield { prefixes, isHint: true };
  const found = new Set<string>();
  for (const entry of prefixes.flatMap((prefix) => known.list(prefix))) {
    for (const attribute of readableBlock(entry)?.block.attributes ?? []) {
      const { handleId, secondary } = attribute;
      if (handleId === undefined || !isHeld(attribute)) continue;
      if (secondary['node'] === node && !handleId.includes('/')) found.add(handleId);
    }
  }
  return { value: [...found].toSorted() };
}

/**
 * Deletes the Node if it holds no block, and took no address of another's since `elsewhere` was read (see
 * elsewhere.ts). Answers whether it is gone, and when it went.
 */
export function* deleteNode(
  node: string,
  elsewhere: Entry | undefined,
): Program<{ isGone: boolean; revision: bigint }> {
  const [key, mark] = [nodeKey(node), elsewhereKey(node)];
  const prefixes = ([4, 6] as const).map((family) => affinitiesPrefix(node, family));
  const known = yield { keys: [key, mark], prefixes };
  const isChanged = known.get(mark)?.modRevision !== elsewhere?.modRevision;
  if (isChanged || prefixes.some((prefix) => known.list(prefix).length > 0)) {
    return { value: { isGone: false, revision: 0n } };
  }
  const entry = known.get(key);
  const draft = new Draft();
  if (entry === undefined) {
    // A mark that came after the Node had gone.
    if (elsewhere !== undefined) draft.delete(mark, elsewhere);
    return plan({ isGone: true, revision: 0n }, draft);
  }
  draft.delete(key, entry);
  if (elsewhere === undefined) draft.expect(mark, undefined);
  else draft.delete(mark, elsewhere);
  return {
    ...plan({ isGone: true, revision: 0n }, draft),
    valueAt: (revision) => ({ isGone: true, revision }),
  };
}
