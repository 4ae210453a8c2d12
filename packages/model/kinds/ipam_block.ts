// Blocks and affinities as IPAM keeps them in etcd; read-only resources.
import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { exactNet } from './scalars.ts';

const ordinal = z.int().min(0);

/** The JSON of an upstream block. */
export function ipamBlockSpec(style: SchemaStyle) {
  return style.object({
    cidr: exactNet,
    /** "host:<node>" or "virtual:load-balancer"; absent: nobody's. */
    affinity: z.string().optional(),
    affinityClaimTime: z.string().optional(),
    /** Per ordinal: null when free, else the index of its attributes. */
    allocations: z.array(ordinal.nullable()),
    /** Free ordinals, the next to be given out first. */
    unallocated: z.array(ordinal),
    attributes: z.array(
      style.object({
        handle_id: z.string().optional(),
        secondary: z.record(z.string(), z.string()).optional(),
        alternateOwnerAttrs: z.record(z.string(), z.string()).optional(),
        releasedAt: z.string().optional(),
      }),
    ),
    sequenceNumber: z.number().optional(),
    sequenceNumberForAllocation: z.record(z.string(), z.number()).optional(),
    deleted: z.boolean().optional(),
  });
}

export function blockAffinitySpec(style: SchemaStyle) {
  return style.object({
    node: z.string().min(1),
    type: z.enum(['host', 'virtual']).default('host'),
    cidr: exactNet,
    state: z.enum(['confirmed', 'pending', 'pendingDeletion']).default('confirmed'),
    /** Upstream writes "true" and "false" as text here. */
    deleted: z.union([z.boolean(), z.string()]).optional(),
  });
}
