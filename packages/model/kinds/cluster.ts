import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { integer } from './scalars.ts';

export function clusterInformationSpec(style: SchemaStyle) {
  return style.object({
    clusterGUID: z.string().optional(),
    clusterType: z.string().optional(),
    calicoVersion: z.string().optional(),
    datastoreReady: z.boolean().optional(),
    variant: z.string().optional(),
  });
}

/** Kubernetes' syntax: an optional DNS prefix and a name of up to 63 characters; empty: none. */
const LABEL_NAME =
  /^$|^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

function ipamConfigurationFields(style: SchemaStyle) {
  return style.object({
    strictAffinity: z.boolean().default(false),
    /** 0: 20. */
    maxBlocksPerHost: integer(0, 1_000_000).default(0),
    autoAllocateBlocks: z.boolean().default(true),
    kubeVirtVMAddressPersistence: z.enum(['Enabled', 'Disabled']).optional(),
    ipCooldownSeconds: integer(0, 1200).optional(),
    /** Ours: addresses of each family that a node holds ready while etcd cannot be reached; 0: none. */
    warmAddressesPerNode: integer(0, 16).optional(),
    /** Ours: a label of nodes, besides topology.kubernetes.io/zone, that keeps blocks together. */
    topologyLabel: z
      .string()
      .refine((name) => LABEL_NAME.test(name), 'expected the name of a label of nodes')
      .optional(),
  });
}

type Spec = z.output<ReturnType<typeof ipamConfigurationFields>>;

export function ipamConfigurationSpec(style: SchemaStyle) {
  return style.cross(ipamConfigurationFields(style), [
    ['strictAffinity', 'maxBlocksPerHost', 'autoAllocateBlocks'],
    checkAffinity,
  ]);
}

function checkAffinity(spec: Spec, report: Report): void {
  if (!spec.strictAffinity && !spec.autoAllocateBlocks) {
    const message = 'expected true when strictAffinity is false';
    report(['autoAllocateBlocks'], false, message);
  }
  if (spec.maxBlocksPerHost > 0 && !spec.strictAffinity) {
    const message = 'expected 0 when strictAffinity is false: nodes could borrow beyond the limit';
    report(['maxBlocksPerHost'], spec.maxBlocksPerHost, message);
  }
}
