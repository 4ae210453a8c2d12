// A service of Kubernetes (v1 Service): what is announced of it, and what it is for people.

import { parseAddress } from '@calico/ip';
import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';
import { address, ipProblem, port, textThat } from './scalars.ts';

/** A service without a cluster address has "None", or nothing. */
const clusterAddress = textThat((text) => {
  if (text === 'None' || text === '') return undefined;
  const problem = ipProblem(() => parseAddress(text));
  return problem === undefined ? undefined : `${problem}, or "None"`;
});

/** Kubernetes writes absent texts as "" in places. */
const trafficPolicy = z.enum(['Cluster', 'Local', '']).optional();
const maybeAddress = textThat((text) =>
  text === '' ? undefined : ipProblem(() => parseAddress(text)),
).optional();

export function kubernetesServiceSpec(style: SchemaStyle) {
  return style.object({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).default('ClusterIP'),
    clusterIP: clusterAddress.optional(),
    /** The first is clusterIP; a second one is of the other family. */
    clusterIPs: z.array(clusterAddress).max(2).optional(),
    externalIPs: z.array(address).optional(),
    /** What was asked for; what there is stands in status. */
    loadBalancerIP: maybeAddress,
    externalTrafficPolicy: trafficPolicy,
    internalTrafficPolicy: trafficPolicy,
    ports: z
      .array(
        style.object({
          name: z.string().optional(),
          protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
          port,
          targetPort: z.union([z.number(), z.string()]).optional(),
          nodePort: z.number().optional(),
          appProtocol: z.string().optional(),
        }),
      )
      .max(1000)
      .optional(),
    selector: z.record(z.string(), z.string()).optional(),
  });
}

/** What a load balancer has given to the service; one with a host name alone is announced by nobody. */
export const kubernetesServiceStatus = z.looseObject({
  loadBalancer: z
    .looseObject({
      ingress: z
        .array(z.looseObject({ ip: maybeAddress, hostname: z.string().optional() }))
        .optional(),
    })
    .optional(),
});
