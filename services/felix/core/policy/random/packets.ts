// Arbitrary packets between the endpoints of worlds.ts and places outside.
import { formatAddress, parseAddress } from '@calico/ip';
import * as fc from 'fast-check';
import type { Packet } from '../evaluator/packet.ts';

/** Mostly local endpoints. */
const host = fc.constantFrom(1, 1, 2, 2, 3, 3, 4, 5);
const ends = fc.oneof(
  fc.tuple(
    fc.oneof(
      { weight: 4, arbitrary: host.map((n) => `10.65.0.${n}`) },
      fc.constantFrom('192.0.2.9', '198.51.100.1'),
    ),
    fc.oneof(
      { weight: 4, arbitrary: host.map((n) => `10.65.0.${n}`) },
      fc.constantFrom('192.0.2.9', '198.51.100.1'),
    ),
  ),
  fc.tuple(
    fc.oneof(
      { weight: 4, arbitrary: host.map((n) => `fd00:65::${n}`) },
      fc.constant('2001:db8::9'),
    ),
    fc.oneof(
      { weight: 4, arbitrary: host.map((n) => `fd00:65::${n}`) },
      fc.constant('2001:db8::9'),
    ),
  ),
);

/** As `packets`, new and from another node to a pod of this one. */
export const arrivals: fc.Arbitrary<Packet> = fc
  .constant(null)
  .chain(() => packets)
  .map((packet) => ({
    ...packet,
    inputInterface: 'eth0',
    outputInterface: interfaceOf(formatAddress(packet.destination)).replace('eth0', 'cali1'),
    state: 'new',
  }));

/** Mostly with the interfaces that belong to the addresses, now and then with others. */
export const packets: fc.Arbitrary<Packet> = fc
  .record({
    ends,
    protocol: fc.constantFrom(6, 6, 6, 6, 6, 17, 17, 17, 132, 1, 58, 47, 4),
    port: fc.tuple(fc.constantFrom(80, 40000), fc.constantFrom(80, 53, 443, 22, 4789)),
    icmp: fc.tuple(fc.constantFrom(0, 3, 8, 128), fc.constantFrom(0, 1)),
    state: fc.constantFrom(
      ...Array.from({ length: 12 }, () => 'new'),
      'established',
      'related',
      'invalid',
      'cut',
    ),
    dialled: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(80, 443) },
    ),
    strange: fc.oneof(
      { weight: 5, arbitrary: fc.constant(undefined) },
      {
        weight: 1,
        arbitrary: fc
          .record({
            input: fc.constantFrom('', 'eth0', 'eth1', 'lo', 'cali1', 'cali9'),
            output: fc.constantFrom('', 'eth0', 'eth1', 'lo', 'cali2', 'cali9'),
          })
          // From the host to itself is by the loopback.
          .filter(({ input, output }) => input !== output || input !== ''),
      },
    ),
  })
  .map(
    ({
      ends: [source, destination],
      protocol,
      port: numbers,
      icmp: kind,
      state,
      strange,
      dialled,
    }) => {
      const hasPorts = [6, 17, 132].includes(protocol);
      const isIcmp = protocol === 1 || protocol === 58;
      return {
        inputInterface: strange?.input ?? interfaceOf(source),
        outputInterface: strange?.output ?? interfaceOf(destination),
        source: parseAddress(source),
        destination: parseAddress(destination),
        protocol,
        sourcePort: hasPorts ? numbers[0] : 0,
        destinationPort: hasPorts ? numbers[1] : 0,
        icmpType: isIcmp ? kind[0] : 0,
        icmpCode: isIcmp ? kind[1] : 0,
        state: state === 'cut' ? 'established' : (state as Packet['state']),
        isCut: state === 'cut',
        ...(dialled === undefined || !hasPorts
          ? {}
          : { dialled: { destination: parseAddress(destination), port: dialled } }),
      };
    },
  );

function interfaceOf(address: string): string {
  const index = /^(?:10\.65\.0\.|fd00:65::)([1-3])$/.exec(address)?.[1];
  return index === undefined ? 'eth0' : `cali${index}`;
}
