import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { exactNet, net } from './scalars.ts';

export function networkSetSpec(style: SchemaStyle) {
  return style.object({ nets: z.array(net).optional() });
}

export function ipReservationSpec(style: SchemaStyle) {
  return style.object({ reservedCIDRs: z.array(exactNet).optional() });
}
