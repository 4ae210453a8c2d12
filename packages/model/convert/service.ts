// Service of v1: what is announced of it, and what it is for people. Fields of other concerns are left out.
import * as z from 'zod';

const FIELDS = [
  'type',
  'clusterIP',
  'clusterIPs',
  'externalIPs',
  'loadBalancerIP',
  'externalTrafficPolicy',
  'internalTrafficPolicy',
  'ports',
  'selector',
];

const fields = z.record(z.string(), z.unknown());

export const serviceDocument = z.looseObject({
  spec: fields.nullish(),
  status: z.looseObject({ loadBalancer: fields.nullish() }).nullish(),
});

export function serviceOf({ spec, status }: z.output<typeof serviceDocument>) {
  const loadBalancer = status?.loadBalancer ?? undefined;
  return {
    spec: Object.fromEntries(FIELDS.map((name) => [name, spec?.[name]])),
    status: loadBalancer === undefined ? undefined : { loadBalancer },
  };
}
