import type { Address } from '@calico/ip';

/** What policy can see of a packet, and where it goes. */
export type Packet = {
  /** Interface it came in by; '' when this host sends it. */
  readonly inputInterface: string;
  /** Interface it goes out by; '' when it is for this host. */
  readonly outputInterface: string;
  readonly source: Address;
  readonly destination: Address;
  /** IANA number. */
  readonly protocol: number;
  /** 0 for a protocol without ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** 0 for other protocols than ICMP and ICMPv6. */
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly state: 'new' | 'established' | 'related' | 'invalid';
};

export type Outcome = 'accept' | 'drop';
