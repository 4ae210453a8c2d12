// Detection of dead peers in less than a second (RFC 5880), of BGPConfiguration and BGPPeer. Upstream has no
// such field.
import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { integer, textThat } from './scalars.ts';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

/** "300ms", "1.5s"; from 10 ms to one minute. */
const interval = textThat((text) => {
  const [, amount, unit] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m)$/.exec(text) ?? [];
  const value = Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  return value >= 10 && value <= 60_000
    ? undefined
    : 'expected a duration from "10ms" to "60s", for example "300ms"';
});

export function bfdSettings(style: SchemaStyle) {
  return style.object({
    enabled: z.boolean().optional(),
    /** How often the peer may send at most; 300ms unless given. */
    minReceiveInterval: interval.optional(),
    /** How often this node wants to send; 300ms unless given. */
    minTransmitInterval: interval.optional(),
    /** So many packets in a row may be lost before the peer counts as dead; 3 unless given. */
    detectMultiplier: integer(1, 255).optional(),
    /** RFC 5883, UDP port 4784; unless given: whether the peer is outside of the node's subnet. */
    multihop: z.boolean().optional(),
    /** BGP waits until BFD is up. */
    strict: z.boolean().optional(),
  });
}
