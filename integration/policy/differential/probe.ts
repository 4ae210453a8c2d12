// What is sent in a differential test: one new packet from one place to another.
import * as fc from 'fast-check';
import type { Packet } from '../../../services/felix/core/policy/evaluator/packet.ts';
import type { PlaceName } from './network.ts';

export const [TCP, UDP, SCTP, ICMP, ICMP_V6, GRE, IPIP] = [6, 17, 132, 1, 58, 47, 4];
/** Somebody listens on this TCP port everywhere; a connection to another one is refused by a reset. */
export const LISTENED_PORT = 22;

export type Probe = {
  readonly from: PlaceName;
  readonly to: PlaceName;
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number;
  readonly icmpCode: number;
};

const PODS = ['pod1', 'pod2', 'pod3', 'pod4', 'pod5'] as const;
const OTHERS = ['outside', 'node-a', 'node-b'] as const;
const pod = fc.constantFrom(...PODS);
const place = fc.oneof(
  { weight: 5, arbitrary: pod },
  { weight: 1, arbitrary: fc.constantFrom(...OTHERS) },
);

/** Types of which connection tracking takes some for new and the others for answers to nothing. */
const ICMP_KINDS = {
  4: [
    [8, 0],
    [8, 0],
    [8, 1],
    [13, 0],
    [3, 0],
    [0, 0],
  ],
  6: [
    [128, 0],
    [128, 0],
    [128, 1],
    [3, 0],
    [129, 0],
  ],
} as const;

export const probe: fc.Arbitrary<Probe> = fc
  .record({
    ends: fc.oneof(fc.tuple(pod, place), fc.tuple(place, pod)).filter(([a, b]) => a !== b),
    family: fc.constantFrom(4 as const, 4 as const, 6 as const),
    protocol: fc.constantFrom(TCP, TCP, TCP, UDP, UDP, SCTP, SCTP, ICMP, ICMP, GRE, IPIP),
    // 0: one that no other probe of the run has.
    sourcePort: fc.constantFrom(0, 0, 0, 80, 443),
    destinationPort: fc.constantFrom(80, 80, 53, 443, LISTENED_PORT, 4789),
    icmp: fc.nat(29),
  })
  .map(({ ends: [from, to], family, protocol, sourcePort, destinationPort, icmp }) => {
    const kinds = ICMP_KINDS[family];
    const [icmpType, icmpCode] = kinds[icmp % kinds.length] ?? [0, 0];
    const hasPorts = protocol === TCP || protocol === UDP || protocol === SCTP;
    const isIcmp = protocol === ICMP;
    return {
      from,
      to,
      family,
      protocol: isIcmp && family === 6 ? ICMP_V6 : protocol,
      // The listener may remember a connection of a round before by its ports.
      sourcePort: hasPorts && destinationPort !== LISTENED_PORT ? sourcePort : 0,
      destinationPort: hasPorts ? destinationPort : 0,
      icmpType: isIcmp ? icmpType : 0,
      icmpCode: isIcmp ? icmpCode : 0,
    };
  });

/**
 * Without those that would share a connection with one before, in either direction: its packet would be
 * judged as established. Free source ports are given out; with `used`, the number of probes before this round,
 * none comes again soon.
 */
export function independent(probes: readonly Probe[], used: number): Probe[] {
  const seen = new Set<string>();
  return probes.flatMap((one, index) => {
    const isFree = one.sourcePort === 0 && one.destinationPort > 0;
    const sourcePort = isFree ? 10_000 + ((used + index) % 50_000) : one.sourcePort;
    const ends = [`${one.from} ${sourcePort}`, `${one.to} ${one.destinationPort}`].toSorted();
    // Echoes have an id of their own.
    const isIcmp = one.protocol === ICMP || one.protocol === ICMP_V6;
    const tuple = [one.family, one.protocol, ...ends, isIcmp ? index : ''].join(' ');
    if (seen.has(tuple)) return [];
    seen.add(tuple);
    return [{ ...one, sourcePort }];
  });
}

/** What comes back when the destination answers. */
export function answerTo(one: Probe): Probe {
  return {
    ...one,
    from: one.to,
    to: one.from,
    sourcePort: one.destinationPort,
    destinationPort: one.sourcePort,
  };
}

/** As connection tracking sees a packet that belongs to nothing before it. */
export function stateOf({ protocol, icmpType }: Probe): Packet['state'] {
  if (protocol === ICMP) return icmpType === 8 || icmpType === 13 ? 'new' : 'invalid';
  if (protocol === ICMP_V6) return icmpType === 128 ? 'new' : 'invalid';
  return 'new';
}

export function probeText(one: Probe): string {
  const { protocol, family, sourcePort, destinationPort, icmpType, icmpCode } = one;
  const detail =
    protocol === ICMP || protocol === ICMP_V6
      ? `type ${icmpType} code ${icmpCode}`
      : `port ${sourcePort} to ${destinationPort}`;
  return `IPv${family} protocol ${protocol} from ${one.from} to ${one.to}, ${detail}`;
}
