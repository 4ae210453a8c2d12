// EndpointSlice of discovery.k8s.io/v1: addresses and ports, for policy, to which endpoints count whether they are ready
// or not; and where they are and whether they are ready, for the announcement of services.
import * as z from 'zod';

const maybe = <T extends z.ZodType>(schema: T) => schema.nullish();

/** Its fields stand beside metadata, not in a spec. */
export const endpointSlice = z.looseObject({
  addressType: z.string(),
  endpoints: maybe(
    z.array(
      z.looseObject({
        addresses: z.array(z.string()),
        nodeName: maybe(z.string()),
        conditions: maybe(
          z.looseObject({
            ready: maybe(z.boolean()),
            serving: maybe(z.boolean()),
            terminating: maybe(z.boolean()),
          }),
        ),
      }),
    ),
  ),
  ports: maybe(
    z.array(
      z.looseObject({
        name: maybe(z.string()),
        protocol: maybe(z.string()),
        port: maybe(z.number()),
      }),
    ),
  ),
});

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
