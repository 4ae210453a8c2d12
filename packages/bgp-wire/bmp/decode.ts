// The collector's side of BMP.
import { type Address, addressFromBytes } from '@calico/ip';
import { ByteReader, TruncatedError } from '../bytes.ts';
import { BmpError, type BmpMessage, type BmpPeer, BmpType } from './types.ts';

const VERSION = 3;
const HEADER_LENGTH = 6;
const MAX_LENGTH = 1 << 20;
const BGP_LENGTH_AT = 16;
const BGP_HEADER_LENGTH = 19;

/** Cuts a stream into messages: push() what arrived, next() until it answers undefined. */
export class BmpFramer {
  #buffer: Uint8Array = new Uint8Array(0);

  push(bytes: Uint8Array): void {
    const whole = new Uint8Array(this.#buffer.length + bytes.length);
    whole.set(this.#buffer);
    whole.set(bytes, this.#buffer.length);
    this.#buffer = whole;
  }

  /** @throws BmpError */
  next(): BmpMessage | undefined {
    const buffer = this.#buffer;
    if (buffer.length < HEADER_LENGTH) return undefined;
    const header = new ByteReader(buffer);
    const version = header.u8();
    const length = header.u32();
    if (version !== VERSION || length < HEADER_LENGTH || length > MAX_LENGTH) {
      throw new BmpError(`Cannot read BMP message: version "${version}", length "${length}"`);
    }
    if (buffer.length < length) return undefined;
    this.#buffer = buffer.subarray(length);
    return decodeBmp(buffer.subarray(0, length));
  }
}

/** One whole message. @throws BmpError */
export function decodeBmp(bytes: Uint8Array): BmpMessage {
  const reader = new ByteReader(bytes);
  try {
    reader.bytes(HEADER_LENGTH - 1);
    return decodeBody(reader.u8(), reader);
  } catch (cause) {
    if (!(cause instanceof TruncatedError)) throw cause;
    throw new BmpError(`Cannot read BMP message: ${cause.message}`, { cause });
  }
}

function decodeBody(type: number, reader: ByteReader): BmpMessage {
  switch (type) {
    case BmpType.Initiation: {
      const texts = readTexts(reader);
      return { kind: 'initiation', description: texts.get(1) ?? '', name: texts.get(2) ?? '' };
    }
    case BmpType.Termination:
      return { kind: 'termination', text: readTexts(reader).get(0) ?? '' };
    case BmpType.PeerUp: {
      const { peer, isIpv6 } = readPeer(reader);
      const localAddress = narrow(reader.bytes(16), isIpv6);
      const [localPort, remotePort] = [reader.u16(), reader.u16()];
      const [sentOpen, receivedOpen] = [readBgp(reader), readBgp(reader)];
      const tableName = readTexts(reader).get(3);
      const ports = { localPort, remotePort, sentOpen, receivedOpen };
      const name = tableName === undefined ? {} : { tableName };
      return { kind: 'peer-up', peer, localAddress, ...ports, ...name };
    }
    case BmpType.PeerDown: {
      const { peer } = readPeer(reader);
      return { kind: 'peer-down', peer, reason: reader.u8(), data: reader.rest().slice() };
    }
    case BmpType.RouteMonitoring: {
      const { peer } = readPeer(reader);
      return { kind: 'route-monitoring', peer, update: readBgp(reader) };
    }
    case BmpType.StatisticsReport: {
      const { peer } = readPeer(reader);
      const values = Array.from({ length: Math.min(reader.u32(), 256) }, () => {
        const [statistic, length] = [reader.u16(), reader.u16()];
        const value = reader.bytes(length).reduce((sum, octet) => sum * 256 + octet, 0);
        return { type: statistic, value };
      });
      return { kind: 'statistics', peer, values };
    }
    default:
      throw new BmpError(`Cannot read BMP message: type "${type}" is unknown`);
  }
}

function readPeer(reader: ByteReader): { peer: BmpPeer; isIpv6: boolean } {
  const type = reader.u8();
  const flags = reader.u8();
  reader.bytes(8);
  const isIpv6 = (flags & 0x80) !== 0;
  const isLocal = type === 3;
  const address = narrow(reader.bytes(16), isIpv6 && !isLocal);
  const [asn, routerId] = [reader.u32(), reader.u32()];
  const timestamp = reader.u32() * 1000 + Math.floor(reader.u32() / 1000);
  const policy = (flags & 0x40) === 0 ? 'pre-policy' : 'post-policy';
  const table = isLocal ? 'loc-rib' : policy;
  return { peer: { table, address, asn, routerId, timestamp }, isIpv6 };
}

function narrow(bytes: Uint8Array, isIpv6: boolean): Address | undefined {
  if (bytes.every((octet) => octet === 0)) return undefined;
  return addressFromBytes(isIpv6 ? bytes : bytes.subarray(12));
}

function readBgp(reader: ByteReader): Uint8Array {
  const header = reader.bytes(BGP_HEADER_LENGTH);
  const length = ((header[BGP_LENGTH_AT] ?? 0) << 8) | (header[BGP_LENGTH_AT + 1] ?? 0);
  if (length < BGP_HEADER_LENGTH) throw new BmpError(`Cannot read BGP message: length "${length}"`);
  const body = reader.bytes(length - BGP_HEADER_LENGTH);
  const whole = new Uint8Array(length);
  whole.set(header);
  whole.set(body, BGP_HEADER_LENGTH);
  return whole;
}

function readTexts(reader: ByteReader): Map<number, string> {
  const texts = new Map<number, string>();
  while (reader.remaining > 0) {
    const type = reader.u16();
    texts.set(type, new TextDecoder().decode(reader.bytes(reader.u16())));
  }
  return texts;
}
