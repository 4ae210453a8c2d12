// Who is who in the benchmark, and the workload: internet-like, one attribute set per four prefixes.
import { DEFAULT_CONTEXT, encodeAnnouncement } from '@calico/bgp-wire';
import { type Prefix, parseAddress } from '@calico/ip';

export const SPEAKER = { address: '10.99.0.1', asn: 65_000 };
export const FEEDER = { address: '10.99.0.2', asn: 65_001 };
export const RECEIVER = { address: '10.99.0.3', asn: 65_002 };

const NEXT_HOP = parseAddress('10.99.0.200');
const PER_SET = 4;

/** UPDATE messages for `count` /24 prefixes from 16.0.0.0 on. */
export function workload(count: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let from = 0; from < count; from += PER_SET) {
    const set = from / PER_SET;
    const asns = Array.from(
      { length: 2 + (set % 4) },
      (_, hop) => 1_000 + ((set * 7 + hop * 13) % 60_000),
    );
    const nlri = Array.from({ length: Math.min(PER_SET, count - from) }, (_, index) => ({
      prefix: prefixAt(from + index),
    }));
    const attributes = {
      origin: 0 as const,
      asPath: [{ kind: 'sequence' as const, asns: [FEEDER.asn, ...asns] }],
      multiExitDiscriminator: set % 100,
      communities: Array.from(
        { length: 2 + (set % 4) },
        (_, at) => (3_000 + at) * 65_536 + (set % 5_000),
      ),
    };
    messages.push(
      ...encodeAnnouncement(
        { family: 4, nextHop: NEXT_HOP, attributes, nlri },
        { ...DEFAULT_CONTEXT, peerKind: 'external' },
      ),
    );
  }
  return messages;
}

function prefixAt(index: number): Prefix {
  return { family: 4, value: BigInt(0x1000_0000 + index * 256), length: 24 };
}
