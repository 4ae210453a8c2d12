import { parsePrefix, prefixesOverlap } from '@calico/ip';
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { cidr, selector } from './scalars.ts';

const encapsulationMode = z.enum(['Never', 'Always', 'CrossSubnet']);

export const ipPoolStatus = z.looseObject({
  conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).optional(),
});

const FORBIDDEN = ['169.254.0.0/16', 'fe80::/10'].map((text) => parsePrefix(text));

function ipPoolFields(style: SchemaStyle) {
  return style.object({
    /** Network address with length; immutable. */
    cidr,
    vxlanMode: encapsulationMode.default('Never'),
    ipipMode: encapsulationMode.default('Never'),
    natOutgoing: z.boolean().default(false),
    disabled: z.boolean().default(false),
    disableBGPExport: z.boolean().default(false),
    /** Prefix length of its blocks; immutable. 26 for IPv4 and 122 for IPv6 when not given. */
    blockSize: z.int().optional(),
    nodeSelector: selector.default('all()'),
    namespaceSelector: selector.optional(),
    allowedUses: z
      .array(z.enum(['Workload', 'Tunnel', 'LoadBalancer']))
      .min(1)
      .default(['Workload', 'Tunnel']),
    assignmentMode: z.enum(['Automatic', 'Manual']).default('Automatic'),
  });
}

type Spec = z.output<ReturnType<typeof ipPoolFields>>;

export function ipPoolSpec(style: SchemaStyle) {
  return style.cross(
    ipPoolFields(style),
    [['cidr', 'blockSize'], checkBlocks],
    [['cidr', 'ipipMode', 'vxlanMode'], checkEncapsulation],
    [['allowedUses'], checkUses],
  );
}

export function completeIpPool(spec: Spec): Spec & { blockSize: number } {
  return { ...spec, blockSize: spec.blockSize ?? (spec.cidr.includes(':') ? 122 : 26) };
}

function checkBlocks(spec: Spec, report: Report): void {
  const pool = parsePrefix(spec.cidr);
  const [smallest, largest] = pool.family === 4 ? [20, 32] : [116, 128];
  const blockSize = spec.blockSize ?? largest - 6;
  if (blockSize < smallest || blockSize > largest) {
    const message = `expected ${smallest} to ${largest} in an IPv${pool.family} pool`;
    report(['blockSize'], blockSize, message);
  } else if (pool.length > blockSize) {
    report(['cidr'], spec.cidr, `expected a pool of at least one block of size /${blockSize}`);
  }
  if (FORBIDDEN.some((range) => prefixesOverlap(range, pool))) {
    report(['cidr'], spec.cidr, 'overlaps the link-local addresses');
  }
}

function checkEncapsulation(spec: Spec, report: Report): void {
  if (spec.ipipMode !== 'Never' && spec.vxlanMode !== 'Never') {
    const message = `expected "Never" when vxlanMode is "${spec.vxlanMode}": a pool has one encapsulation`;
    report(['ipipMode'], spec.ipipMode, message);
  }
  if (spec.ipipMode !== 'Never' && spec.cidr.includes(':')) {
    report(['ipipMode'], spec.ipipMode, 'expected "Never" in an IPv6 pool');
  }
}

function checkUses(spec: Spec, report: Report): void {
  const { allowedUses } = spec;
  if (allowedUses.includes('Tunnel') && spec.namespaceSelector !== undefined) {
    const message = 'expected none when allowedUses holds "Tunnel"';
    report(['namespaceSelector'], spec.namespaceSelector, message);
  }
  if (!allowedUses.includes('LoadBalancer')) return;
  if (allowedUses.length > 1) {
    report(['allowedUses'], allowedUses, 'expected "LoadBalancer" to stand alone');
  }
  for (const field of ['ipipMode', 'vxlanMode'] as const) {
    if (spec[field] !== 'Never') {
      report([field], spec[field], 'expected "Never" in a pool for load balancers');
    }
  }
  if (spec.disableBGPExport) {
    report(['disableBGPExport'], true, 'expected false in a pool for load balancers');
  }
  if (spec.nodeSelector !== 'all()') {
    report(['nodeSelector'], spec.nodeSelector, 'expected "all()" in a pool for load balancers');
  }
}
