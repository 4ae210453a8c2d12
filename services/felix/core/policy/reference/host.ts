// What host endpoints mean, straight from the resources, for the reference evaluator.
import type { HostEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import type { Packet } from '../evaluator/packet.ts';
import { covers } from './nets.ts';

/** The host endpoint that speaks for an interface. */
export function hostEndpointAt(inputs: PolicyInputs, name: string): HostEndpoint | undefined {
  if (name === 'lo' || name === '' || name.startsWith('cali')) return undefined;
  const own = inputs.hostEndpoints
    .filter(({ spec }) => spec.node === inputs.node)
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en'));
  const addresses = inputs.hostInterfaces?.find((one) => one.name === name)?.addresses ?? [];
  return (
    own.find(({ spec }) => spec.interfaceName === name) ??
    own.find(
      ({ spec }) =>
        spec.interfaceName === undefined &&
        spec.expectedIPs?.some((address) => addresses.includes(address)),
    ) ??
    own.find(({ spec }) => spec.interfaceName === '*')
  );
}

/** Whether any interface of this host is a host endpoint's. */
export function hasHostPolicy(inputs: PolicyInputs): boolean {
  const named = inputs.hostEndpoints.flatMap(({ spec }) => spec.interfaceName ?? []);
  const own = inputs.hostInterfaces?.map(({ name }) => name) ?? [];
  return [...named, ...own].some((name) => hostEndpointAt(inputs, name) !== undefined);
}

const SHARED =
  'tcp:179,tcp:2379,tcp:2380,tcp:5473,tcp:6443,tcp:6666,tcp:6667,tcp:4222,tcp:5671,tcp:5672';
const DEFAULTS = {
  ingress: `tcp:22,udp:68,${SHARED}`,
  egress: `udp:53,udp:67,${SHARED}`,
} as const;
const NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

type Port = { readonly protocol: string; readonly port: number; readonly net?: string | undefined };

/** What no policy of a host endpoint closes. */
export function isFailsafe(
  { felixConfiguration }: PolicyInputs,
  packet: Packet,
  direction: 'ingress' | 'egress',
  isUntracked: boolean,
): boolean {
  const { protocol, source, destination, sourcePort, destinationPort, icmpType } = packet;
  if (protocol === 58 && source.family === 6 && icmpType >= 130 && icmpType <= 136) return true;
  const spec = felixConfiguration?.spec ?? {};
  const ports = {
    ingress: spec.failsafeInboundHostPorts ?? defaults(DEFAULTS.ingress),
    egress: spec.failsafeOutboundHostPorts ?? defaults(DEFAULTS.egress),
  };
  const peer = direction === 'ingress' ? source : destination;
  const has = (list: readonly Port[], port: number): boolean =>
    list.some(
      (one) =>
        NUMBERS[one.protocol.toLowerCase()] === protocol &&
        one.port === port &&
        (one.net === undefined || covers(one.net, peer)),
    );
  if (has(ports[direction], destinationPort)) return true;
  // An answer is only known as one when connections are tracked.
  const other = direction === 'ingress' ? 'egress' : 'ingress';
  return isUntracked && has(ports[other], sourcePort);
}

function defaults(text: string): Port[] {
  return text.split(',').map((one) => {
    const [protocol = '', port] = one.split(':');
    return { protocol, port: Number(port) };
  });
}
