// What is behind a service of Kubernetes, as an EndpointSlice (discovery.k8s.io/v1) has it.
import { parseAddress } from '@calico/ip';
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { address, nodeName, port } from './scalars.ts';

/** The label of a slice that names its service, which is of the same namespace. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';

const FAMILIES = { IPv4: 4, IPv6: 6 } as const;

export function endpointSliceSpec(style: SchemaStyle) {
  const schema = style.object({
    addressType: z.enum(['IPv4', 'IPv6']),
    endpoints: z
      .array(
        style.object({
          addresses: z.array(address).max(100),
          nodeName: nodeName.optional(),
          /** Absent ones are not known; an endpoint of which nothing is known counts as ready. */
          conditions: style
            .object({
              ready: z.boolean().optional(),
              serving: z.boolean().optional(),
              terminating: z.boolean().optional(),
            })
            .optional(),
        }),
      )
      .max(1000)
      .optional(),
    /** A port without a number stands for all, and is not among those that a rule may name. */
    ports: z
      .array(
        style.object({
          name: z.string().optional(),
          protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
          port: port.optional(),
        }),
      )
      .max(100)
      .optional(),
  });
  return style.cross(schema, [['addressType', 'endpoints'], checkFamily]);
}

type Slice = {
  readonly addressType: keyof typeof FAMILIES;
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[] | undefined;
};

function checkFamily({ addressType, endpoints = [] }: Slice, report: Report): void {
  for (const [index, { addresses }] of endpoints.entries()) {
    for (const [at, text] of addresses.entries()) {
      if (parseAddress(text).family === FAMILIES[addressType]) continue;
      report(['endpoints', index, 'addresses', at], text, `expected an ${addressType} address`);
    }
  }
}
