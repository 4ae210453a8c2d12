// EndpointSlice of discovery.k8s.io/v1: what policy needs of it, addresses and ports. As upstream, endpoints count whether
// they are ready or not.
import * as z from 'zod';

const maybe = <T extends z.ZodType>(schema: T) => schema.nullish();

/** Its fields stand beside metadata, not in a spec. */
export const endpointSlice = z.looseObject({
  addressType: z.string(),
  endpoints: maybe(z.array(z.looseObject({ addresses: z.array(z.string()) }))),
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
    endpoints: (endpoints ?? []).map(({ addresses }) => ({ addresses })),
    ports: (ports ?? []).map(({ name, protocol, port }) => ({ name, protocol, port })),
  };
}
