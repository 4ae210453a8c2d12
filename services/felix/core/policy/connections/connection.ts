// A tracked connection as policy sees it: the packet that would begin it today.
import type { Address } from '@calico/ip';
import type { Packet } from '../evaluator/packet.ts';

/** One direction of a connection as its packets carry it. */
export type ConnectionTuple = {
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: number;
  readonly ports: { readonly source: number; readonly destination: number } | undefined;
  readonly icmp: { readonly id: number; readonly type: number; readonly code: number } | undefined;
};

/** An entry of the kernel's connection tracking. */
export type TrackedConnection = {
  readonly original: ConnectionTuple;
  readonly reply: ConnectionTuple;
  /** IPS_* bits. */
  readonly status: number;
  readonly mark: number;
  readonly zone: number;
  readonly id: number;
};

export type ConnectionChange =
  | { readonly kind: 'delete'; readonly connection: TrackedConnection }
  | {
      readonly kind: 'mark';
      readonly connection: TrackedConnection;
      readonly bits: number;
      readonly set: boolean;
    };

/** The interface by which this host reaches an address; '' when the address is its own. */
export type InterfaceOf = (address: Address) => string;

/** Asks once per address. */
export function remembering(interfaceOf: InterfaceOf): InterfaceOf {
  const known: Record<Address['family'], Map<bigint, string>> = { 4: new Map(), 6: new Map() };
  return (address) => {
    const own = known[address.family];
    const found = own.get(address.value) ?? interfaceOf(address);
    own.set(address.value, found);
    return found;
  };
}

/** Announced by another connection (IPS_EXPECTED), as data of FTP is: policy has never judged it. */
export function isExpected({ status }: TrackedConnection): boolean {
  return (status & 1) !== 0;
}

/**
 * The packet that would begin this connection now. Policy sees it after a translated destination and before a
 * translated source: the answers' source is where it went.
 */
export function firstPacket(connection: TrackedConnection, interfaceOf: InterfaceOf): Packet {
  const { original, reply } = connection;
  const { source, protocol, ports, icmp } = original;
  const destination = reply.source;
  const destinationPort = reply.ports?.source ?? 0;
  const dialled = { destination: original.destination, port: ports?.destination ?? 0 };
  const isTranslated =
    dialled.destination.value !== destination.value || dialled.port !== destinationPort;
  return {
    inputInterface: interfaceOf(source),
    outputInterface: interfaceOf(destination),
    source,
    destination,
    protocol,
    sourcePort: ports?.source ?? 0,
    destinationPort,
    icmpType: icmp?.type ?? 0,
    icmpCode: icmp?.code ?? 0,
    state: 'new',
    ...(isTranslated ? { dialled } : {}),
  };
}
