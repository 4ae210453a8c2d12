// Edge: routes that clients inject, from wire to core.
import { decodeMrt, MrtError, Origin } from '@calico/bgp-wire';
import { IpError, type Prefix, parseAddress, parsePrefix } from '@calico/ip';
import type { InjectedRoute as Message } from '@calico/proto/bgp/v1/bgp';
import { RpcError } from '@calico/rpc';
import { parseCommunities } from '../core/cluster/derive_filters.ts';
import { DEFAULT_LOCAL_PREFERENCE } from '../core/rib/path.ts';
import type { InjectedRoute } from '../core/speaker/injected_routes.ts';

const CLIENT = /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$/;
const COMMUNITY = /^[0-9]{1,5}:[0-9]{1,5}$|^[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$/;

/** @throws RpcError */
export function checkClient(name: string): string {
  if (CLIENT.test(name)) return name;
  throw refused(
    `Cannot use client "${name}": expected 1 to 63 letters, digits, ".", "_", "/" or "-"`,
  );
}

/** @throws RpcError */
export function routeOf(message: Message): InjectedRoute {
  const { localPreference = DEFAULT_LOCAL_PREFERENCE, multiExitDiscriminator, asPath } = message;
  const prefix = prefixOf(message.prefix);
  const broken = message.communities.find((text) => !isCommunity(text));
  if (broken !== undefined) {
    throw refused(
      `Cannot inject "${message.prefix}": community "${broken}" is neither "64512:100" nor "64512:1:2"`,
    );
  }
  const { standard, large } = parseCommunities(message.communities);
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
 * The first path of each prefix; a next hop of nowhere is this node.
 * @param mrt whole records
 * @throws RpcError
 */
export function routesOfMrt(mrt: Uint8Array): InjectedRoute[] {
  const routes: InjectedRoute[] = [];
  try {
    for (const record of decodeMrt(mrt)) {
      const entry = record.kind === 'routes' ? record.entries[0] : undefined;
      if (record.kind !== 'routes' || entry === undefined) continue;
      const { prefix } = record;
      const nextHop = entry.nextHop ?? { family: prefix.family, value: 0n };
      const localPreference = DEFAULT_LOCAL_PREFERENCE;
      const attributes = { origin: Origin.Igp, asPath: [], localPreference, ...entry.attributes };
      routes.push({ prefix, data: { nextHop, attributes } });
    }
  } catch (cause) {
    if (!(cause instanceof MrtError)) throw cause;
    throw new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  }
  return routes;
}

/** @throws RpcError */
export function prefixOf(text: string): Prefix {
  return read(() => parsePrefix(text));
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
