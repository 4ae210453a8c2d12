// What a client of etcd could do without this service: one transaction for one address.
import { randomBytes } from 'node:crypto';
import type { Store, Transaction } from '@calico/store';
import {
  affinitiesPrefix,
  blocksPrefix,
  CONFIG_KEY,
  CONFIG_RESOURCE_KEY,
  POOLS_PREFIX,
  RESERVATIONS_PREFIX,
} from '../../services/ipam/core/records/keys.ts';

const HANDLES = '/calico/ipam/v2/handle/';

/** The least: a small block and a handle, both new. */
export function smallTransaction(): Transaction {
  const { block, handle } = newKeys();
  return {
    compare: [absent(block), absent(handle)],
    operations: [
      { kind: 'put', key: block, value: 'x'.repeat(2000) },
      { kind: 'put', key: handle, value: 'x'.repeat(120) },
    ],
  };
}

/**
 * Makes transactions that compare and write as much as a lone assignment does now: values as long as those
 * in the store are on average.
 */
export async function likeAssignment(store: Store, node: string): Promise<() => Transaction> {
  const [pools, affinities, blocks, handles] = await Promise.all([
    store.list(POOLS_PREFIX),
    store.list(affinitiesPrefix(node, 4)),
    store.list(blocksPrefix(4)),
    store.list(HANDLES),
  ]);
  const [pool] = pools.entries;
  const [affinity] = affinities.entries;
  if (pool === undefined || affinity === undefined) throw new Error('nothing is assigned yet');
  const since = pools.revision;
  const blockText = 'x'.repeat(meanLength(blocks.entries));
  const handleText = 'x'.repeat(meanLength(handles.entries));
  return () => {
    const { block, handle, mark } = newKeys();
    return {
      compare: [
        ...[block, handle, mark, CONFIG_KEY, CONFIG_RESOURCE_KEY, `/bench/${node}`].map(absent),
        ...[pool, affinity].map(({ key, modRevision }) => ({ key, modRevision })),
      ],
      unchanged: [
        { prefix: POOLS_PREFIX, since },
        { prefix: RESERVATIONS_PREFIX, since },
        { prefix: '/bench/affinities/', since },
      ],
      operations: [
        { kind: 'put', key: block, value: blockText },
        { kind: 'put', key: handle, value: handleText },
      ],
    };
  };
}

function newKeys(): { readonly block: string; readonly handle: string; readonly mark: string } {
  const suffix = randomBytes(16).toString('hex');
  return {
    block: `/bench/block/10.0.0.0-26-${suffix}`,
    handle: `/bench/handle/k8s-pod-network.${suffix}`,
    mark: `/bench/given-up/k8s-pod-network.${suffix}`,
  };
}

function absent(key: string): { readonly key: string; readonly modRevision: bigint } {
  return { key, modRevision: 0n };
}

function meanLength(entries: readonly { readonly value: string }[]): number {
  const sum = entries.reduce((length, { value }) => length + value.length, 0);
  return Math.round(sum / Math.max(1, entries.length));
}
