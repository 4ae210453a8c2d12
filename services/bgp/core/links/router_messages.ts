// Router solicitations and advertisements, as far as the two ends of a link use them to find each other:
// RFC 4861 sections 4.1, 4.2 and 4.6.1. Checksums are the kernel's.

export type RouterMessage = 'solicitation' | 'advertisement';

const TYPE: Readonly<Record<RouterMessage, number>> = { solicitation: 133, advertisement: 134 };
/** As the kernel's filter knows them. */
export const ROUTER_TYPES: readonly number[] = Object.values(TYPE);
/** Before the options. */
const LENGTH: Readonly<Record<RouterMessage, number>> = { solicitation: 8, advertisement: 16 };
const SOURCE_LINK_LAYER_ADDRESS = 1;
const OPTION_UNIT = 8;
const MAC_BYTES = 6;

/**
 * All other fields are 0. An advertisement with a router lifetime of 0 and without prefixes says that there is
 * a router, and makes nobody's default route or address of it.
 * @param mac link-layer address of the sender, "ee:ee:ee:ee:ee:ee"; undefined: the link has none
 */
export function encodeRouterMessage(kind: RouterMessage, mac: string | undefined): Uint8Array {
  const address = (mac ?? '').split(':').map((byte) => Number.parseInt(byte, 16));
  const hasMac = address.length === MAC_BYTES;
  const bytes = new Uint8Array(LENGTH[kind] + (hasMac ? OPTION_UNIT : 0));
  bytes[0] = TYPE[kind];
  if (hasMac) bytes.set([SOURCE_LINK_LAYER_ADDRESS, 1, ...address], LENGTH[kind]);
  return bytes;
}

/**
 * Which of the two it is, by the rules of sections 6.1.1 and 6.1.2 that its bytes can be held against;
 * undefined: neither, or not valid.
 * @param bytes of ICMPv6, from the type on
 */
export function readRouterMessage(bytes: Uint8Array): RouterMessage | undefined {
  const kind = (['solicitation', 'advertisement'] as const).find((each) => TYPE[each] === bytes[0]);
  if (kind === undefined || bytes[1] !== 0 || bytes.length < LENGTH[kind]) return undefined;
  return hasWholeOptions(bytes.subarray(LENGTH[kind])) ? kind : undefined;
}

function hasWholeOptions(options: Uint8Array): boolean {
  let rest = options;
  while (rest.length > 0) {
    const length = (rest[1] ?? 0) * OPTION_UNIT;
    if (length === 0 || length > rest.length) return false;
    rest = rest.subarray(length);
  }
  return true;
}
