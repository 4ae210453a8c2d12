import { type Address, addressBytes } from '@calico/ip';
import { ByteWriter } from '../bytes.ts';
import { type BmpMessage, type BmpPeer, BmpStatistic, BmpType } from './types.ts';

const VERSION = 3;
const COMMON_HEADER_LENGTH = 6;
const GLOBAL_INSTANCE = 0;
const LOC_RIB_INSTANCE = 3;
const FLAG_IPV6 = 0x80;
const FLAG_POST_POLICY = 0x40;
const TLV = { text: 0, description: 1, name: 2, tableName: 3, reason: 1 } as const;
/** Section 4.5: session administratively closed. */
const ADMINISTRATIVELY_CLOSED = 0;

/** A whole message: RFC 7854 section 4. */
export function encodeBmp(message: BmpMessage): Uint8Array {
  switch (message.kind) {
    case 'initiation': {
      const body = new ByteWriter();
      writeText(body, TLV.description, message.description);
      writeText(body, TLV.name, message.name);
      return frame(BmpType.Initiation, body);
    }
    case 'termination': {
      const body = new ByteWriter();
      if (message.text !== '') writeText(body, TLV.text, message.text);
      body.u16(TLV.reason).u16(2).u16(ADMINISTRATIVELY_CLOSED);
      return frame(BmpType.Termination, body);
    }
    case 'peer-up': {
      const body = ofPeer(message.peer).bytes(wide(message.localAddress));
      body.u16(message.localPort).u16(message.remotePort);
      body.bytes(message.sentOpen).bytes(message.receivedOpen);
      if (message.tableName !== undefined) writeText(body, TLV.tableName, message.tableName);
      return frame(BmpType.PeerUp, body);
    }
    case 'peer-down':
      return frame(BmpType.PeerDown, ofPeer(message.peer).u8(message.reason).bytes(message.data));
    case 'route-monitoring':
      return frame(BmpType.RouteMonitoring, ofPeer(message.peer).bytes(message.update));
    case 'statistics': {
      const body = ofPeer(message.peer).u32(message.values.length);
      for (const { type, value } of message.values) {
        // Section 4.8: counters have 32 bits, gauges 64.
        const isCounter = type === BmpStatistic.Rejected;
        body.u16(type).u16(isCounter ? 4 : 8);
        if (!isCounter) body.u32(Math.floor(value / 2 ** 32));
        body.u32(value % 2 ** 32);
      }
      return frame(BmpType.StatisticsReport, body);
    }
    default:
      return message satisfies never;
  }
}

function frame(type: number, body: ByteWriter): Uint8Array {
  const length = COMMON_HEADER_LENGTH + body.position;
  return new ByteWriter(length).u8(VERSION).u32(length).u8(type).bytes(body.finish()).finish();
}

function ofPeer({ table, address, asn, routerId, timestamp }: BmpPeer): ByteWriter {
  const flags =
    (address?.family === 6 ? FLAG_IPV6 : 0) | (table === 'post-policy' ? FLAG_POST_POLICY : 0);
  return new ByteWriter()
    .u8(table === 'loc-rib' ? LOC_RIB_INSTANCE : GLOBAL_INSTANCE)
    .u8(flags)
    .bytes(new Uint8Array(8))
    .bytes(wide(address))
    .u32(asn)
    .u32(routerId)
    .u32(Math.floor(timestamp / 1000))
    .u32((timestamp % 1000) * 1000);
}

/** 16 octets; an IPv4 address in the last four. */
function wide(address: Address | undefined): Uint8Array {
  const bytes = new Uint8Array(16);
  if (address !== undefined) bytes.set(addressBytes(address), address.family === 4 ? 12 : 0);
  return bytes;
}

function writeText(writer: ByteWriter, type: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  writer.u16(type).u16(bytes.length).bytes(bytes);
}
