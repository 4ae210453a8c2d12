// Checks of what arrives from outside; a request that passes is safe to write into keys and records.
import {
  type Address,
  type Family,
  IpError,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '@calico/ip';
import {
  IntendedUse,
  type AssignIpRequest as WireAssignIp,
  type AutoAssignRequest as WireAutoAssign,
  type EnsureBlockRequest as WireEnsureBlock,
  type WorkloadOwner as WireOwner,
  type ReleaseByHandleRequest as WireReleaseByHandle,
  type ReleaseIpsRequest as WireReleaseIps,
} from '@calico/proto/ipam/v1/ipam';
import type { Owner } from '../core/block_algebra.ts';
import { IpamError } from '../core/ipam_error.ts';
import type { AssignIpRequest } from '../core/programs/assign_ip.ts';
import type { AssignRequest } from '../core/programs/auto_assign.ts';
import type { EnsureRequest } from '../core/programs/ensure_block.ts';
import type { WorkloadOwner } from '../core/programs/owner.ts';
import type { Leaving, Release } from '../core/programs/release.ts';
import type { Use } from '../core/records/ip_pool.ts';

const MAX_COUNT = 4096;
const MAX_RELEASES_PER_CALL = 1000;
const MAX_BLOCKS = 1_000_000;
const MAX_HANDLE = 500;
const MAX_ATTRIBUTES = 32;
const MAX_ATTRIBUTE = 1024;

export function autoAssignRequest(wire: WireAutoAssign): AssignRequest {
  const node = nodeName('node', wire.node);
  const owner = ownerOf(wire);
  const counts = { ipv4_count: wire.ipv4Count, ipv6_count: wire.ipv6Count };
  for (const [field, count] of Object.entries(counts)) {
    if (count > MAX_COUNT) throw wrong(field, String(count), `0 to ${MAX_COUNT}`);
  }
  if (wire.ipv4Count + wire.ipv6Count === 0) {
    throw wrong('ipv4_count + ipv6_count', '0', 'at least 1 address');
  }
  if (wire.maxBlocks > MAX_BLOCKS) {
    throw wrong('max_blocks', String(wire.maxBlocks), `0 (the configured limit) to ${MAX_BLOCKS}`);
  }
  return {
    node,
    owner,
    workload: workloadOf(wire.owner),
    namespace: wire.namespace === '' ? '' : objectName('namespace', wire.namespace),
    use: useOf(wire.intendedUse) ?? 'Workload',
    wanted: {
      4: { count: wire.ipv4Count, pools: pools('ipv4_pools', wire.ipv4Pools, 4) },
      6: { count: wire.ipv6Count, pools: pools('ipv6_pools', wire.ipv6Pools, 6) },
    },
    maxBlocks: wire.maxBlocks,
  };
}

export function assignIpRequest(wire: WireAssignIp): AssignIpRequest {
  return {
    address: addressOf('address', wire.address),
    node: nodeName('node', wire.node),
    owner: ownerOf(wire),
    workload: workloadOf(wire.owner),
    use: useOf(wire.intendedUse),
  };
}

/** One request per family that is wanted. */
export function ensureRequests(wire: WireEnsureBlock): {
  four: EnsureRequest | undefined;
  six: EnsureRequest | undefined;
} {
  const node = nodeName('node', wire.node);
  if (!wire.ipv4 && !wire.ipv6) throw wrong('ipv4, ipv6', 'false', 'at least one of them true');
  const of = (family: Family, field: string, texts: readonly string[]): EnsureRequest => ({
    node,
    family,
    pools: pools(field, texts, family),
  });
  return {
    four: wire.ipv4 ? of(4, 'ipv4_pools', wire.ipv4Pools) : undefined,
    six: wire.ipv6 ? of(6, 'ipv6_pools', wire.ipv6Pools) : undefined,
  };
}

export function releases(wire: WireReleaseIps): Release[] {
  atMost('releases', wire.releases.length, MAX_RELEASES_PER_CALL);
  return wire.releases.map((release, index) => ({
    address: addressOf(`releases[${index}].address`, release.address),
    handleId:
      release.handleId === ''
        ? undefined
        : handleOf(`releases[${index}].handle_id`, release.handleId),
    sequenceNumber: release.sequenceNumber,
  }));
}

export function leavingOf({ owner, fence }: WireReleaseByHandle): Leaving {
  return { isFenced: fence, owner: workloadOf(owner) };
}

export function workloadOf(owner: WireOwner | undefined): WorkloadOwner | undefined {
  if (owner === undefined) return undefined;
  const { containerId } = owner;
  if (containerId === '' || containerId.length > MAX_HANDLE) {
    const accepted = `the id of a container, 1 to ${MAX_HANDLE} characters`;
    throw wrong('owner.container_id', containerId.slice(0, MAX_HANDLE), accepted);
  }
  return {
    namespace: objectName('owner.namespace', owner.namespace),
    name: objectName('owner.name', owner.name),
    containerId,
  };
}

export function handleOf(field: string, text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (text === '' || text.length > MAX_HANDLE || /[/\u0000-\u001f\u007f]/.test(text)) {
    throw wrong(
      field,
      text.slice(0, MAX_HANDLE),
      `<network>.<container id> or another text of 1 to ${MAX_HANDLE} characters without "/"`,
    );
  }
  return text;
}

export function nodeName(field: string, text: string): string {
  return objectName(field, text);
}

export function addressOf(field: string, text: string): Address {
  try {
    return parseAddress(text);
  } catch (cause) {
    if (!(cause instanceof IpError)) throw cause;
    throw wrong(field, text, 'an IPv4 or IPv6 address, for example "10.244.58.193"', cause);
  }
}

export function cidrOf(field: string, text: string): Prefix {
  try {
    return parsePrefix(text);
  } catch (cause) {
    if (!(cause instanceof IpError)) throw cause;
    throw wrong(field, text, 'a CIDR without host bits, for example "10.244.58.192/26"', cause);
  }
}

/** Refuses lists that are too long for one call. */
export function atMost(field: string, length: number, most: number): void {
  if (length > most) throw wrong(field, `${length} entries`, `at most ${most} in one call`);
}

/** Name or CIDR of a pool as it was given. */
export function poolName(field: string, text: string): string {
  if (text.includes('/')) cidrOf(field, text);
  else objectName(field, text);
  return text;
}

export function poolNames(field: string, texts: readonly string[]): readonly string[] {
  for (const [index, text] of texts.entries()) poolName(`${field}[${index}]`, text);
  return texts;
}

function pools(field: string, texts: readonly string[], family: Family): readonly string[] {
  for (const [index, text] of poolNames(field, texts).entries()) {
    if (text.includes('/') && parsePrefix(text).family !== family) {
      throw wrong(`${field}[${index}]`, text, `the name or the CIDR of an IPv${family} pool`);
    }
  }
  return texts;
}

function objectName(field: string, text: string): string {
  if (
    text.length > 253 ||
    !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)
  ) {
    throw wrong(
      field,
      text.slice(0, 253),
      'a name of lower-case letters, digits, "-" and "." (DNS-1123), up to 253 characters',
    );
  }
  return text;
}

export function ownerOf(wire: { handleId: string; attributes: Record<string, string> }): Owner {
  const pairs = Object.entries(wire.attributes);
  if (pairs.length > MAX_ATTRIBUTES) {
    throw wrong('attributes', `${pairs.length} entries`, `at most ${MAX_ATTRIBUTES}`);
  }
  for (const [name, value] of pairs) {
    if (name.length + value.length > MAX_ATTRIBUTE) {
      throw wrong(
        `attributes["${name.slice(0, 64)}"]`,
        `${name.length + value.length} characters`,
        `name and value of at most ${MAX_ATTRIBUTE} characters together`,
      );
    }
  }
  return { handleId: handleOf('handle_id', wire.handleId), secondary: Object.fromEntries(pairs) };
}

function useOf(use: IntendedUse): Use | undefined {
  switch (use) {
    case IntendedUse.UNSPECIFIED:
      return undefined;
    case IntendedUse.WORKLOAD:
      return 'Workload';
    case IntendedUse.TUNNEL:
      return 'Tunnel';
    default:
      throw wrong('intended_use', String(use), 'INTENDED_USE_WORKLOAD or INTENDED_USE_TUNNEL');
  }
}

export function wrong(field: string, value: string, accepted: string, cause?: unknown): IpamError {
  return new IpamError(
    'invalid-argument',
    `Cannot use ${field} "${value}": expected ${accepted}`,
    cause === undefined ? {} : { cause },
  );
}
