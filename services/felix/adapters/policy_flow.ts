// Between flows of the contract and packets of the core.
import { type Address, formatAddress, IpError, parseAddress } from '@calico/ip';
import type { Flow } from '@calico/proto/felix/v1/policy';
import { RpcError } from '@calico/rpc';
import type { Packet } from '../core/policy/evaluator/packet.ts';

export type PlainFlow = Omit<Packet, 'inputInterface' | 'outputInterface' | 'state'>;

/** Throws RpcError INVALID_ARGUMENT that names the field. */
export function flowOf(flow: Flow | undefined): PlainFlow {
  if (flow === undefined) throw invalid('flow is missing, expected source, destination, protocol');
  const { protocol, sourcePort, destinationPort, icmpType, icmpCode } = flow;
  const source = addressOf('source', flow.source);
  const destination = addressOf('destination', flow.destination);
  if (source.family !== destination.family) {
    throw invalid(
      `source "${flow.source}" and destination "${flow.destination}" are of different families`,
    );
  }
  checkMost('protocol', protocol, 255);
  checkMost('source_port', sourcePort, 65_535);
  checkMost('destination_port', destinationPort, 65_535);
  checkMost('icmp_type', icmpType, 255);
  checkMost('icmp_code', icmpCode, 255);
  return { source, destination, protocol, sourcePort, destinationPort, icmpType, icmpCode };
}

export function flowMessage({ source, destination, ...rest }: PlainFlow) {
  const { protocol, sourcePort, destinationPort, icmpType, icmpCode } = rest;
  return {
    source: formatAddress(source),
    destination: formatAddress(destination),
    protocol,
    sourcePort,
    destinationPort,
    icmpType,
    icmpCode,
  };
}

function addressOf(field: string, text: string): Address {
  try {
    return parseAddress(text);
  } catch (cause) {
    if (!(cause instanceof IpError)) throw cause;
    throw invalid(`${field} "${text}" is not an address`);
  }
}

function checkMost(field: string, value: number, most: number): void {
  if (value > most) throw invalid(`${field} ${value} is above ${most}`);
}

function invalid(what: string): RpcError {
  return new RpcError('INVALID_ARGUMENT', `Cannot read flow: ${what}`);
}
