import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { policyRule } from './policy_rule.ts';

export function profileSpec(style: SchemaStyle) {
  return style.object({
    ingress: z.array(policyRule(style)).optional(),
    egress: z.array(policyRule(style)).optional(),
    labelsToApply: z.record(z.string(), z.string()).optional(),
  });
}

/** Order of a tier that names none. */
export const DEFAULT_TIER_ORDER = 1_000_000;

export function tierSpec(style: SchemaStyle) {
  return style.object({
    /** Lower first; absent: 1,000,000. */
    order: z.number().optional(),
    defaultAction: z.enum(['Deny', 'Pass']).default('Deny'),
  });
}
