// Communities (RFC 1997), extended (RFC 4360) and large (RFC 8092) as texts.
import { Community } from './iana.ts';
import { formatRouterId } from './router_id.ts';

export type LargeCommunity = {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
};

/** Well-known communities by the names that people give them, those of IANA's registry in lower case. */
export const WELL_KNOWN_COMMUNITIES: ReadonlyMap<string, number> = new Map([
  ['graceful-shutdown', Community.GracefulShutdown],
  ['llgr-stale', Community.LongLivedStale],
  ['no-llgr', Community.NoLongLived],
  ['blackhole', Community.Blackhole],
  ['no-export', Community.NoExport],
  ['no-advertise', Community.NoAdvertise],
  ['no-export-subconfed', Community.NoExportSubconfed],
  ['no-peer', Community.NoPeer],
]);

/** "65000:100". */
export function formatCommunity(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}

/** "65000:1:2". */
export function formatLargeCommunity({ global, local1, local2 }: LargeCommunity): string {
  return `${global}:${local1}:${local2}`;
}

const AsnType = { TwoOctets: 0, Address: 1, FourOctets: 2 } as const;
const SUBTYPES: Readonly<Record<number, string>> = { 2: 'rt', 3: 'ro' };

/**
 * Route targets and origins as "rt:64512:100", "rt:4200000000:100" or "ro:192.0.2.1:100"; the eight octets
 * of others as "0x43000000fde80064", for their meaning depends on the type.
 */
export function formatExtendedCommunity(community: bigint): string {
  const bits = (shift: number, width: number): number =>
    Number(BigInt.asUintN(width, community >> BigInt(shift)));
  const name = SUBTYPES[bits(48, 8)];
  const global = bits(16, 32);
  const local = bits(0, 16);
  switch (name === undefined ? undefined : bits(56, 8)) {
    case AsnType.TwoOctets:
      return `${name}:${bits(32, 16)}:${bits(0, 32)}`;
    case AsnType.Address:
      return `${name}:${formatRouterId(global)}:${local}`;
    case AsnType.FourOctets:
      return `${name}:${global}:${local}`;
    default:
      return `0x${community.toString(16).padStart(16, '0')}`;
  }
}
