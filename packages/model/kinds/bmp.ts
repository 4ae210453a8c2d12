// Monitoring of a node's BGP by a collector (RFC 7854), of BGPConfiguration. Upstream has no such field.
import { parseAddress } from '@calico/ip';
import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { duration, textThat } from './scalars.ts';

/** "192.0.2.1:11019" or "[2001:db8::1]:11019" as address and port; undefined for anything else. */
export function splitCollector(text: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  const found = { address: match?.[1] ?? match?.[2] ?? '', port: Number(match?.[3]) };
  try {
    parseAddress(found.address);
  } catch {
    return undefined;
  }
  return found.port >= 1 && found.port <= 65_535 ? found : undefined;
}

const collector = textThat((text) =>
  splitCollector(text) === undefined
    ? 'expected an address with a port: "192.0.2.1:11019", "[2001:db8::1]:11019"'
    : undefined,
);

export function bmpSettings(style: SchemaStyle) {
  return style.object({
    collector,
    /** All unless given. */
    tables: z.array(z.enum(['PrePolicy', 'PostPolicy', 'LocRib'])).optional(),
    /** 60s unless given; "0" for none. */
    statisticsInterval: duration.optional(),
  });
}
