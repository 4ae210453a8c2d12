// Splitting a pool: its parts take its place in one transaction. Blocks lie in one part each, so that
// nothing else changes; an assignment under way compares the pool and is made again.
import { formatPrefix, subnets } from '@calico/ip';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Program, plan } from '../program.ts';
import { POOLS_PREFIX } from '../records/keys.ts';
import { formatJson, parseJson } from '../records/lossless_json.ts';
import { POOL_PREFIXES, poolNamed, poolsOf, type StoredPool } from './context.ts';

/** What api compares when it creates pools. */
const POOLS_GUARD = '/calico-ts/guards/ippools';
const MOST_PARTS = 32;

export type PoolPart = { readonly name: string; readonly cidr: string };

export type SplitRequest = {
  /** Name or CIDR. */
  readonly pool: string;
  readonly parts: number;
  readonly dryRun: boolean;
  /** Identities of the new pools, at least as many as parts. */
  readonly uids: readonly string[];
};

/** @throws IpamError */
export function* splitPool(request: SplitRequest, now: number): Program<readonly PoolPart[]> {
  const known = yield { keys: [POOLS_GUARD], prefixes: POOL_PREFIXES };
  const pools = poolsOf(known);
  const pool = poolNamed(request.pool, pools, 'split');
  const parts = partsOf(pool, request.parts);
  const taken = parts.find(({ name }) => pools.some((other) => other.name === name));
  if (taken !== undefined) {
    throw new IpamError(
      'already-exists',
      `Cannot split pool "${pool.name}": pool "${taken.name}" exists already`,
    );
  }
  if (request.dryRun) return { value: parts };
  const draft = new Draft();
  // The parts first: whoever follows the changes in order finds every block in a pool at any moment.
  for (const [index, part] of parts.entries()) {
    const uid = request.uids[index] ?? '';
    draft.put(POOLS_PREFIX + part.name, undefined, documentOf(pool, part, uid, now));
  }
  draft.delete(pool.entry.key, pool.entry);
  draft.put(POOLS_GUARD, known.get(POOLS_GUARD), pool.name);
  return plan(parts, draft);
}

function partsOf(pool: StoredPool, count: number): PoolPart[] {
  const bits = Math.log2(count);
  if (!Number.isInteger(bits) || bits < 1 || count > MOST_PARTS) {
    throw new IpamError(
      'invalid-argument',
      `Cannot split pool "${pool.name}" into ${count} parts: expected a power of two, 2 to ${MOST_PARTS}`,
    );
  }
  const length = pool.cidr.length + bits;
  if (length > pool.blockSize) {
    throw new IpamError(
      'invalid-argument',
      `Cannot split pool "${pool.name}" ${formatPrefix(pool.cidr)} into ${count} parts: a part would be smaller than a block of size /${pool.blockSize}`,
    );
  }
  return [...subnets(pool.cidr, length)].map((cidr, index) => ({
    name: `split-${pool.name}-${index}`,
    cidr: formatPrefix(cidr),
  }));
}

function documentOf(pool: StoredPool, part: PoolPart, uid: string, now: number): string {
  const { metadata, spec, ...rest } = parseJson(pool.entry.value) as {
    metadata?: object;
    spec: object;
  };
  const creationTimestamp = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  return formatJson({
    ...rest,
    metadata: { ...metadata, name: part.name, uid, creationTimestamp },
    spec: { ...spec, cidr: part.cidr },
  });
}
