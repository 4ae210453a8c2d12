import { addressBits, parsePrefix } from '@calico/ip';
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { protocol } from './policy_rule.ts';
import {
  address,
  integer,
  interfaceName,
  ipProblem,
  macAddress,
  net,
  nodeName,
  ofFamily,
  port,
  shortName,
  textThat,
} from './scalars.ts';

const oneAddress = textThat(
  (text) =>
    ipProblem(() => parsePrefix(text, { hostBits: 'clear' })) ??
    (isWhole(text) ? undefined : 'expected the prefix of one address: /32 or /128'),
);

function isWhole(prefix: string): boolean {
  const { family, length } = parsePrefix(prefix, { hostBits: 'clear' });
  return length === addressBits(family);
}

const quantity = z.union([z.string(), z.number()]);

function qosControls(style: SchemaStyle) {
  const limits = Object.fromEntries(
    ['ingress', 'egress'].flatMap((side) =>
      [
        'Bandwidth',
        'Burst',
        'Peakrate',
        'Minburst',
        'PacketRate',
        'PacketBurst',
        'MaxConnections',
      ].map((limit) => [`${side}${limit}`, quantity.optional()]),
    ),
  );
  return style.object({ ...limits, dscp: quantity.optional() });
}

export function workloadEndpointSpec(style: SchemaStyle) {
  return style.object({
    orchestrator: z.string().min(1),
    workload: z.string().optional(),
    node: nodeName,
    containerID: z.string().optional(),
    pod: z.string().optional(),
    endpoint: z.string().optional(),
    serviceAccountName: z.string().optional(),
    /** Prefixes of one address: "10.244.58.193/32". */
    ipNetworks: z.array(oneAddress).optional(),
    ipNATs: z.array(style.object({ internalIP: address, externalIP: address })).optional(),
    ipv4Gateway: ofFamily(4, address).optional(),
    ipv6Gateway: ofFamily(6, address).optional(),
    profiles: z.array(z.string()).optional(),
    interfaceName: interfaceName.optional(),
    mac: macAddress.optional(),
    ports: z
      .array(
        style.object({
          name: shortName.or(z.literal('')),
          protocol,
          port: integer(0, 65_535),
          hostPort: integer(0, 65_535).optional(),
          hostIP: z.string().optional(),
        }),
      )
      .optional(),
    allowSpoofedSourcePrefixes: z.array(net).optional(),
    qosControls: qosControls(style).optional(),
  });
}

const hostInterface = textThat((text) =>
  text === '*' || /^[a-zA-Z0-9_.-]{1,15}$/.test(text)
    ? undefined
    : 'expected an interface name, or "*" for all interfaces',
);

export function hostEndpointSpec(style: SchemaStyle) {
  const schema = style.object({
    node: nodeName,
    interfaceName: hostInterface.optional(),
    expectedIPs: z.array(address).optional(),
    profiles: z.array(z.string()).optional(),
    ports: z.array(style.object({ name: shortName, protocol, port })).optional(),
    qosControls: qosControls(style).optional(),
  });
  return style.cross(schema, [['interfaceName', 'expectedIPs'], checkSelectsInterface]);
}

function checkSelectsInterface(
  spec: { interfaceName?: string | undefined; expectedIPs?: readonly string[] | undefined },
  report: Report,
): void {
  if (spec.interfaceName !== undefined || (spec.expectedIPs?.length ?? 0) > 0) return;
  report(['interfaceName'], undefined, 'is required unless expectedIPs is given');
}
