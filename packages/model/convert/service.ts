// Service of v1: what is announced of it, and what `calicoctl get` shows. The rest is left out, unread: it would travel
// to every node, and a service is not refused for what nobody here looks at.
import * as z from 'zod';

const FIELDS = [
  'type',
  'clusterIP',
  'clusterIPs',
  'externalIPs',
  'externalTrafficPolicy',
  'selector',
];

export const serviceDocument = z.looseObject({
  spec: z.record(z.string(), z.unknown()).optional(),
  status: z
    .looseObject({
      loadBalancer: z
        .looseObject({ ingress: z.array(z.looseObject({ ip: z.unknown().optional() })).optional() })
        .optional(),
    })
    .optional(),
});

export function serviceOf({ spec, status }: z.output<typeof serviceDocument>) {
  const loadBalancer = status?.loadBalancer;
  return {
    spec: Object.fromEntries(FIELDS.map((name) => [name, spec?.[name]])),
    status: loadBalancer && { loadBalancer: { ingress: addressesOf(loadBalancer.ingress) } },
  };
}

/** Others have a host name alone. */
function addressesOf(ingress: readonly { readonly ip?: unknown }[] = []) {
  return ingress.flatMap(({ ip }) => (ip === undefined || ip === '' ? [] : [{ ip }]));
}
