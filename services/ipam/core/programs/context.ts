// What most operations read first: settings, pools, reservations.
import { type Family, formatPrefix, type Prefix } from '@calico/ip';
import { parseSelector, SelectorError } from '@calico/selector';
import { IpamError } from '../ipam_error.ts';
import type { Entry, Known } from '../program.ts';
import { type IpPool, parsePool, type Use } from '../records/ip_pool.ts';
import { type IpamConfig, readConfig } from '../records/ipam_config.ts';
import {
  CONFIG_KEY,
  CONFIG_RESOURCE_KEY,
  namespaceProfileKey,
  nodeKey,
  POOLS_PREFIX,
  RESERVATIONS_PREFIX,
} from '../records/keys.ts';
import { parseJson } from '../records/lossless_json.ts';
import { reservedPrefixes } from '../records/reservation.ts';

export type StoredPool = IpPool & { readonly entry: Entry };

export const CONFIG_KEYS: readonly string[] = [CONFIG_RESOURCE_KEY, CONFIG_KEY];
export const POOL_PREFIXES: readonly string[] = [POOLS_PREFIX, RESERVATIONS_PREFIX];

// Entries and listings stay the same objects while they are kept in memory: each is read once.
const NO_CONFIG = readConfig(undefined, undefined);
const configs = new WeakMap<Entry, { readonly legacy: Entry | undefined; config: IpamConfig }>();
const reservations = new WeakMap<readonly Entry[], readonly Prefix[]>();
const listedPools = new WeakMap<readonly Entry[], readonly StoredPool[]>();
const parsed = new WeakMap<Entry, StoredPool>();

export function configOf(known: Known): IpamConfig {
  const resource = known.get(CONFIG_RESOURCE_KEY);
  const legacy = known.get(CONFIG_KEY);
  const source = resource ?? legacy;
  if (source === undefined) return NO_CONFIG;
  const read = configs.get(source);
  if (read !== undefined && read.legacy === legacy) return read.config;
  const config = readConfig(resource?.value, legacy?.value);
  configs.set(source, { legacy, config });
  return config;
}

export function reservationsOf(known: Known): readonly Prefix[] {
  const listing = known.list(RESERVATIONS_PREFIX);
  const read = reservations.get(listing) ?? reservedPrefixes(listing.map(({ value }) => value));
  reservations.set(listing, read);
  return read;
}

/** The pools that can be read, sorted by name; one that cannot is as if it were not there. */
export function poolsOf(known: Known): readonly StoredPool[] {
  const listing = known.list(POOLS_PREFIX);
  const read = listedPools.get(listing) ?? listing.flatMap(storedPools);
  listedPools.set(listing, read);
  return read;
}

/** One, or none if it cannot be read. */
function storedPools(entry: Entry): readonly StoredPool[] {
  try {
    const pool = parsed.get(entry) ?? { ...parsePool(entry.key, entry.value), entry };
    parsed.set(entry, pool);
    return [pool];
  } catch {
    return [];
  }
}

/** The pool of this name or CIDR. @throws IpamError 'not-found' */
export function poolNamed(
  wanted: string,
  pools: readonly StoredPool[],
  action: string,
): StoredPool {
  const found = pools.find(({ name, cidr }) => name === wanted || formatPrefix(cidr) === wanted);
  if (found !== undefined) return found;
  const all = pools.map(({ name }) => name).join(', ') || 'none';
  throw new IpamError(
    'not-found',
    `Cannot ${action} pool "${wanted}": no pool has this name or CIDR; pools: ${all}`,
  );
}

export type PoolQuery = {
  readonly node: string;
  readonly namespace: string;
  readonly use: Use;
  readonly family: Family;
  /** Names or CIDRs; empty: whatever selects the node. */
  readonly explicit: readonly string[];
};

/** The keys that `eligiblePools()` looks at. */
export function selectionKeys(query: { node: string; namespace: string }): string[] {
  return query.namespace === ''
    ? [nodeKey(query.node)]
    : [nodeKey(query.node), namespaceProfileKey(query.namespace)];
}

/**
 * The pools a request may take addresses from: those it names, else the enabled automatic ones that
 * select its node and namespace and allow its use.
 * @throws IpamError when a named pool cannot be used, or none is left
 */
export function eligiblePools(query: PoolQuery, known: Known): StoredPool[] {
  const pools = poolsOf(known).filter(({ cidr }) => cidr.family === query.family);
  if (query.explicit.length > 0) {
    return query.explicit.map((wanted) => namedPool(wanted, pools, query));
  }
  const eligible = pools.filter(
    (pool) =>
      !pool.disabled &&
      pool.automatic &&
      pool.allowedUses.includes(query.use) &&
      selectsNode(pool, query.node, known) &&
      selectsNamespace(pool, query.namespace, known),
  );
  if (eligible.length > 0) return eligible;
  const all = pools.map(({ name, cidr }) => `${name} ${formatPrefix(cidr)}`).join(', ') || 'none';
  throw new IpamError(
    'not-found',
    `Cannot assign an IPv${query.family} address for node "${query.node}": no enabled pool selects it for use ${query.use}; IPv${query.family} pools: ${all}`,
  );
}

function namedPool(wanted: string, pools: readonly StoredPool[], query: PoolQuery): StoredPool {
  const pool = pools.find(({ name, cidr }) => name === wanted || formatPrefix(cidr) === wanted);
  if (pool === undefined) {
    throw new IpamError(
      'not-found',
      `Cannot assign from pool "${wanted}": no IPv${query.family} pool has this name or CIDR`,
    );
  }
  if (pool.disabled) {
    throw new IpamError('precondition', `Cannot assign from pool "${pool.name}": it is disabled`);
  }
  if (!pool.allowedUses.includes(query.use)) {
    throw new IpamError(
      'precondition',
      `Cannot assign from pool "${pool.name}" for use ${query.use}: it allows ${pool.allowedUses.join(', ')}`,
    );
  }
  return pool;
}

/** Whether nodes like this one may use the pool. @throws IpamError when its selector cannot be read */
export function selectsNode(pool: StoredPool, node: string, known: Known): boolean {
  if (pool.nodeSelector === 'all()') return true;
  const entry = known.get(nodeKey(node));
  return entry !== undefined && matches(pool, 'nodeSelector', pool.nodeSelector, labelsOf(entry));
}

function selectsNamespace(pool: StoredPool, namespace: string, known: Known): boolean {
  const { namespaceSelector } = pool;
  if (namespaceSelector === undefined || namespaceSelector === 'all()') return true;
  if (namespace === '') return false;
  const labels = { 'projectcalico.org/name': namespace, 'kubernetes.io/metadata.name': namespace };
  const profile = known.get(namespaceProfileKey(namespace));
  return matches(pool, 'namespaceSelector', namespaceSelector, {
    ...labels,
    ...(profile === undefined ? {} : namespaceLabels(profile)),
  });
}

function matches(
  pool: StoredPool,
  fieldName: string,
  selector: string,
  labels: Record<string, string>,
): boolean {
  try {
    return parseSelector(selector).matches(labels);
  } catch (cause) {
    if (!(cause instanceof SelectorError)) throw cause;
    throw new IpamError(
      'precondition',
      `Cannot use pool "${pool.name}": spec.${fieldName} "${selector}" is no selector: ${cause.message}`,
      { cause },
    );
  }
}

function labelsOf(entry: Entry): Record<string, string> {
  return textFields(field(field(safeJson(entry.value), 'metadata'), 'labels'));
}

function namespaceLabels(profile: Entry): Record<string, string> {
  const all = textFields(field(field(safeJson(profile.value), 'spec'), 'labelsToApply'));
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      name.startsWith('pcns.') ? [[name.slice('pcns.'.length), value]] : [],
    ),
  );
}

function safeJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textFields(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}
