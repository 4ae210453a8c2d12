// Edge: routes that clients inject, from wire to core.
import {
  decodeMrt,
  formatCommunity,
  MrtError,
  Origin,
  WELL_KNOWN_COMMUNITIES,
} from '@calico/bgp-wire';
import {
  formatPrefix,
  IpError,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixContains,
} from '@calico/ip';
import type { InjectRoutesRequest, InjectedRoute as Message } from '@calico/proto/bgp/v1/bgp';
import { RpcError } from '@calico/rpc';
import { parseCommunities } from '../core/cluster/derive_filters.ts';
import type { Steps } from '../core/node/errands.ts';
import { fits, TOO_LONG } from '../core/rib/attribute_table.ts';
import { DEFAULT_LOCAL_PREFERENCE } from '../core/rib/path.ts';
import type { InjectedRoute } from '../core/speaker/injected_routes.ts';
import type { Speaker } from '../core/speaker/speaker.ts';
import { describeToldInPool } from '../core/speaker/told_in_pools.ts';

const CLIENT = /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$/;
const COMMUNITY = /^[0-9]{1,5}:[0-9]{1,5}$|^[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$/;
/** Both together stay below what one set of attributes may have. */
const LONGEST_AS_PATH = 8_000;
const MOST_COMMUNITIES = 2_000;

/** @throws RpcError */
export function checkClient(name: string): string {
  if (CLIENT.test(name)) return name;
  throw refused(
    `Cannot use client "${name}": expected 1 to 63 letters, digits, ".", "_", "/" or "-"`,
  );
}

/** @throws RpcError */
function routeOf(message: Message): InjectedRoute {
  const { localPreference = DEFAULT_LOCAL_PREFERENCE, multiExitDiscriminator, asPath } = message;
  const prefix = prefixOf(message.prefix);
  checkCount(message, 'AS path', asPath.length, LONGEST_AS_PATH);
  checkCount(message, 'communities', message.communities.length, MOST_COMMUNITIES);
  const communities = message.communities.map(numbersOf);
  const broken = communities.find((text) => !isCommunity(text));
  if (broken !== undefined) {
    const names = [...WELL_KNOWN_COMMUNITIES.keys()].join(', ');
    throw refused(
      `Cannot inject "${message.prefix}": community "${broken}" is neither "64512:100" nor "64512:1:2" nor one of ${names}`,
    );
  }
  const { standard, large } = parseCommunities(communities);
  const nextHop =
    message.nextHop === ''
      ? { family: prefix.family, value: 0n }
      : read(() => parseAddress(message.nextHop));
  return {
    prefix,
    data: {
      nextHop,
      attributes: {
        origin: Origin.Igp,
        asPath: asPath.length === 0 ? [] : [{ kind: 'sequence', asns: asPath }],
        localPreference,
        ...(multiExitDiscriminator === undefined ? {} : { multiExitDiscriminator }),
        ...(standard.length === 0 ? {} : { communities: standard }),
        ...(large.length === 0 ? {} : { largeCommunities: large }),
      },
    },
  };
}

/**
 * The first path of each prefix, undefined for a record without any; a next hop of nowhere is this node.
 * @param mrt whole records
 * @throws RpcError
 */
function* routesOfMrt(mrt: Uint8Array): Generator<InjectedRoute | undefined, void, undefined> {
  try {
    for (const record of decodeMrt(mrt)) {
      const entry = record.kind === 'routes' ? record.entries[0] : undefined;
      if (record.kind !== 'routes' || entry === undefined) {
        yield undefined;
        continue;
      }
      const { prefix } = record;
      const nextHop = entry.nextHop ?? { family: prefix.family, value: 0n };
      const localPreference = DEFAULT_LOCAL_PREFERENCE;
      const attributes = { origin: Origin.Igp, asPath: [], localPreference, ...entry.attributes };
      yield { prefix, data: { nextHop, attributes } };
    }
  } catch (cause) {
    if (!(cause instanceof MrtError)) throw cause;
    throw new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  }
}

/**
 * What a request asks for: its routes, and those of its table that are neither this node's own nor, unless forced,
 * a peer's inside of a pool. Pauses after each.
 * @param onLeftOut is called for each of the latter
 * @throws RpcError
 */
export function* routesFor(
  { client, routes, mrt, force }: InjectRoutesRequest,
  { config, rib, injected }: Pick<Speaker, 'config' | 'rib' | 'injected'>,
  onLeftOut: () => void,
): Steps<InjectedRoute[]> {
  const own = config?.ownRoutes ?? [];
  const pools = force ? [] : (config?.local.pools ?? []);
  const blocks = own.flatMap(({ kind, prefix }) => (kind === 'service' ? [] : [prefix]));
  const blockOf = (prefix: Prefix) => blocks.find((block) => prefixContains(block, prefix));
  const wanted: InjectedRoute[] = [];
  for (const message of routes) {
    const route = routeOf(message);
    const block = blockOf(route.prefix);
    if (block !== undefined) {
      throw refused(
        `Cannot inject "${message.prefix}": it is in "${formatPrefix(block)}", which this node announces itself`,
      );
    }
    const told = describeToldInPool(route.prefix, rib, pools);
    if (told !== undefined) {
      const what = `Cannot inject "${message.prefix}": ${told}`;
      throw new RpcError('FAILED_PRECONDITION', `${what}; only with "force"`);
    }
    wanted.push(route);
    yield;
  }
  for (const route of routesOfMrt(mrt)) {
    yield;
    if (route === undefined || blockOf(route.prefix) !== undefined) continue;
    if (!fits(route.data)) {
      throw refused(`Cannot inject "${formatPrefix(route.prefix)}": its ${TOO_LONG}`);
    }
    if (describeToldInPool(route.prefix, rib, pools) !== undefined) {
      onLeftOut();
      continue;
    }
    wanted.push(route);
  }
  if (injected.countOf(client) + wanted.length > injected.limit) {
    const count = yield* injected.countWith(client, wanted);
    if (count > injected.limit) {
      throw refused(
        `Cannot inject for client "${client}": it would have ${count} routes, at most ${injected.limit}`,
      );
    }
  }
  // Others may have come meanwhile.
  if (injected.admits(client)) return wanted;
  throw new RpcError(
    'RESOURCE_EXHAUSTED',
    `Cannot inject for client "${client}": ${injected.mostClients} others have routes, withdraw those of one`,
  );
}

function checkCount({ prefix }: Message, field: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw refused(`Cannot inject "${prefix}": ${field} of "${count}" numbers, at most ${limit}`);
}

/**
 * Pauses after each.
 * @throws RpcError
 */
export function* prefixesOf(texts: readonly string[]): Steps<Prefix[]> {
  const prefixes: Prefix[] = [];
  for (const text of texts) {
    prefixes.push(prefixOf(text));
    yield;
  }
  return prefixes;
}

function prefixOf(text: string): Prefix {
  return read(() => parsePrefix(text));
}

/** A well-known community by its numbers. */
function numbersOf(text: string): string {
  const community = WELL_KNOWN_COMMUNITIES.get(text);
  return community === undefined ? text : formatCommunity(community);
}

function isCommunity(text: string): boolean {
  const numbers = text.split(':').map(Number);
  const maximum = numbers.length === 2 ? 0xffff : 0xffff_ffff;
  return COMMUNITY.test(text) && numbers.every((number) => number <= maximum);
}

function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof IpError)) throw cause;
    throw new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  }
}

function refused(message: string): RpcError {
  return new RpcError('INVALID_ARGUMENT', message);
}
