// Blocks with the endpoints that use their addresses, as if read at one moment.
import type { Kind } from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';
import { CommandError } from './command_error.ts';

const MOST_TRIES = 10;

/**
 * Reads until no address was assigned or released while the endpoints were read: pods can be deleted
 * from a locked datastore, with endpoint and address at once.
 * @throws CommandError when that happens all the time
 */
export async function blocksAndEndpoints(
  list: (kind: Kind) => Promise<readonly Resource[]>,
): Promise<readonly Resource[]> {
  let blocks = await list('IPAMBlock');
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const endpoints = await list('WorkloadEndpoint');
    const after = await list('IPAMBlock');
    if (areSame(blocks, after)) return [...blocks, ...endpoints];
    blocks = after;
  }
  throw new CommandError(
    'Cannot export the datastore: addresses are assigned or released whenever it is read',
    { advice: 'Export when no pods are being deleted.' },
  );
}

function areSame(some: readonly Resource[], others: readonly Resource[]): boolean {
  return (
    some.length === others.length &&
    some.every(({ name, revision }, i) => {
      const other = others[i];
      return other?.name === name && other.revision === revision;
    })
  );
}
