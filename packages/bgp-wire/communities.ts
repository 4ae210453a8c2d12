// Communities (RFC 1997), extended (RFC 4360) and large (RFC 8092) as texts.

export type LargeCommunity = {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
};

/** "65000:100". */
export function formatCommunity(community: number): string {
  return `${community >>> 16}:${community & 0xffff}`;
}

/** "65000:1:2". */
export function formatLargeCommunity({ global, local1, local2 }: LargeCommunity): string {
  return `${global}:${local1}:${local2}`;
}

/** "0x0002fde800000064": the eight octets, as their meaning depends on the type. */
export function formatExtendedCommunity(community: bigint): string {
  return `0x${community.toString(16).padStart(16, '0')}`;
}
