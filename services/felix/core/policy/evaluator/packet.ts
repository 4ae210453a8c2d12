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
  readonly state: 'new' | 'established' | 'related' | 'invalid' | 'untracked';
  /** Of a connection that was cut after a policy took its permission away. */
  readonly isCut?: boolean;
  /** Where it was sent to, when this host translates its destination. */
  readonly dialled?: { readonly destination: Address; readonly port: number } | undefined;
};

export type Outcome = 'accept' | 'drop';
