// EndpointSlice of discovery.k8s.io/v1: addresses and ports, for policy, to which endpoints count whether they are ready
// or not; and where they are and whether they are ready, for the announcement of services.
import * as z from 'zod';

/** Its fields stand beside metadata, not in a spec. */
export const endpointSlice = z.looseObject({
  addressType: z.string(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(z.string()),
        nodeName: z.string().optional(),
        conditions: z
          .looseObject({
            ready: z.boolean().optional(),
            serving: z.boolean().optional(),
            terminating: z.boolean().optional(),
          })
          .optional(),
      }),
    )
    .optional(),
  ports: z
    .array(
      z.looseObject({
        name: z.string().optional(),
        protocol: z.string().optional(),
        port: z.number().optional(),
      }),
    )
    .optional(),
});

/** Host names are no addresses: neither policy nor announcements have a use for such a slice. */
export function isSliceOfNames({ addressType }: { readonly addressType?: unknown }): boolean {
  return addressType === 'FQDN';
}

export function endpointSliceSpecOf(slice: z.output<typeof endpointSlice>) {
  const { addressType, endpoints, ports } = slice;
  return {
    addressType,
    endpoints: (endpoints ?? []).map(({ addresses, nodeName, conditions }) => ({
      addresses,
      nodeName,
      conditions: conditions && {
        ready: conditions.ready,
        serving: conditions.serving,
        terminating: conditions.terminating,
      },
    })),
    ports: (ports ?? []).map(({ name, protocol, port }) => ({ name, protocol, port })),
  };
}
