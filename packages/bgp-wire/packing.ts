// Fills UPDATE messages: as many prefixes of one attribute set as fit into each.
import type { Address, Family } from '@calico/ip';
import type { PathAttributes } from './attributes.ts';
import type { WireContext } from './context.ts';
import { maximumLength } from './framing.ts';
import { encodeMessage } from './message.ts';
import { type Nlri, nlriLength } from './nlri.ts';
import type { Update } from './update.ts';

export type Announcement = {
  readonly family: Family;
  readonly nextHop: Address;
  /** Without a next hop of its own. */
  readonly attributes: PathAttributes;
  readonly nlri: readonly Nlri[];
};

const NOTHING = { withdrawn: [], announced: [], attributes: {}, problems: [] } as const;

/**
 * IPv4 prefixes with an IPv4 next hop travel in the message's own fields, everything else in
 * MP_REACH_NLRI. Throws RangeError when the attributes alone do not fit a message.
 */
export function encodeAnnouncement(
  { family, nextHop, attributes, nlri }: Announcement,
  context: WireContext,
): Uint8Array[] {
  const update = (part: readonly Nlri[]): Update =>
    family === 4 && nextHop.family === 4
      ? {
          kind: 'update',
          ...NOTHING,
          announced: part,
          attributes: { ...attributes, nextHop },
        }
      : {
          kind: 'update',
          ...NOTHING,
          attributes,
          reach: { family, nextHop, nlri: part },
        };
  return pack(nlri, family, context, update);
}

export function encodeWithdrawal(
  family: Family,
  nlri: readonly Nlri[],
  context: WireContext,
): Uint8Array[] {
  return pack(nlri, family, context, (part) =>
    family === 4
      ? { kind: 'update', ...NOTHING, withdrawn: part }
      : { kind: 'update', ...NOTHING, unreach: { family, nlri: part } },
  );
}

/** So few prefixes that they fit beside any but monstrous attributes. */
const FEW_BYTES = 1_024;

/** One message without measuring the attributes first, which would mean to encode them twice. */
function tryWhole(
  nlri: readonly Nlri[],
  addPath: boolean,
  context: WireContext,
  update: (part: readonly Nlri[]) => Update,
): Uint8Array | undefined {
  let length = 0;
  for (const item of nlri) length += nlriLength(item, addPath);
  if (length > FEW_BYTES) return undefined;
  try {
    return encodeMessage(update(nlri), context);
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

function pack(
  nlri: readonly Nlri[],
  family: Family,
  context: WireContext,
  update: (part: readonly Nlri[]) => Update,
): Uint8Array[] {
  if (nlri.length === 0) return [];
  const addPath = context.addPath.includes(family);
  const whole = tryWhole(nlri, addPath, context, update);
  if (whole !== undefined) return [whole];
  const messages: Uint8Array[] = [];
  // One octet more than the empty message: the attribute's length may grow to two octets.
  const empty = encodeMessage(update([]), context).length;
  const room = maximumLength(context.extendedMessages) - empty - 1;
  let part: Nlri[] = [];
  let used = 0;
  for (const item of nlri) {
    const length = nlriLength(item, addPath);
    if (used + length > room && part.length > 0) {
      messages.push(encodeMessage(update(part), context));
      part = [];
      used = 0;
    }
    part.push(item);
    used += length;
  }
  messages.push(encodeMessage(update(part), context));
  return messages;
}
