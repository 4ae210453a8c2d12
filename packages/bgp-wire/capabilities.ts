// Capabilities of the OPEN message: RFC 5492 and the RFCs named at each kind.
import { ByteReader, ByteWriter } from './bytes.ts';
import { CapabilityCode } from './iana.ts';

export type AddressFamily = { readonly afi: number; readonly safi: number };

export type Capability =
  /** RFC 4760. */
  | { readonly kind: 'multiprotocol'; readonly afi: number; readonly safi: number }
  /** RFC 2918. */
  | { readonly kind: 'route-refresh' }
  /** RFC 7313. */
  | { readonly kind: 'enhanced-route-refresh' }
  /** RFC 8654. */
  | { readonly kind: 'extended-message' }
  /** RFC 6793. */
  | { readonly kind: 'four-octet-as'; readonly asn: number }
  | GracefulRestart
  /** RFC 7911. */
  | { readonly kind: 'add-path'; readonly families: readonly AddPathFamily[] }
  /** RFC 8950. */
  | { readonly kind: 'extended-next-hop'; readonly families: readonly ExtendedNextHopFamily[] }
  /** RFC 9234. */
  | { readonly kind: 'role'; readonly role: Role }
  /** RFC 9494. */
  | { readonly kind: 'long-lived-graceful-restart'; readonly families: readonly LongLivedFamily[] }
  /** Not known here, or of a wrong length: kept as it came. */
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

/** RFC 4724, and RFC 8538 for `notification`. */
export type GracefulRestart = {
  readonly kind: 'graceful-restart';
  /** R bit: the speaker has restarted and still recovers. */
  readonly restarting: boolean;
  /** N bit: NOTIFICATION and hold timer keep routes too. */
  readonly notification: boolean;
  /** 0 to 4095. */
  readonly restartTimeSeconds: number;
  readonly families: readonly (AddressFamily & {
    /** F bit: forwarding went on while the speaker was away. */
    readonly forwarding: boolean;
  })[];
};

export type AddPathFamily = AddressFamily & { readonly receive: boolean; readonly send: boolean };
export type ExtendedNextHopFamily = AddressFamily & { readonly nextHopAfi: number };

export type LongLivedFamily = AddressFamily & {
  /** F bit: forwarding went on while the speaker was away. */
  readonly forwarding: boolean;
  /** How long routes may stay after the restart time: 0 to 16,777,215. */
  readonly staleSeconds: number;
};

/** What the speaker is to its peer, in the order of the numbers on the wire (RFC 9234 section 4.1). */
export const ROLES = [
  'provider',
  'route-server',
  'route-server-client',
  'customer',
  'peer',
] as const;
export type Role = (typeof ROLES)[number];

const RESTARTING = 0x8000;
const NOTIFICATION = 0x4000;
const FORWARDING = 0x80;

/** Reads a list of capabilities. Throws TruncatedError when a length points past the end. */
export function decodeCapabilities(bytes: Uint8Array): Capability[] {
  const reader = new ByteReader(bytes);
  const capabilities: Capability[] = [];
  while (reader.remaining > 0) {
    const code = reader.u8();
    const value = reader.bytes(reader.u8());
    capabilities.push(decodeKnown(code, value) ?? { kind: 'unknown', code, value: value.slice() });
  }
  return capabilities;
}

function decodeKnown(code: number, value: Uint8Array): Capability | undefined {
  const reader = new ByteReader(value);
  switch (code) {
    case CapabilityCode.Multiprotocol:
      if (value.length !== 4) return undefined;
      // The octet between is reserved and says nothing (RFC 4760 section 8).
      return { kind: 'multiprotocol', afi: reader.u16(), safi: reader.u16() & 0xff };
    case CapabilityCode.RouteRefresh:
      return value.length === 0 ? { kind: 'route-refresh' } : undefined;
    case CapabilityCode.EnhancedRouteRefresh:
      return value.length === 0 ? { kind: 'enhanced-route-refresh' } : undefined;
    case CapabilityCode.ExtendedMessage:
      return value.length === 0 ? { kind: 'extended-message' } : undefined;
    case CapabilityCode.FourOctetAs:
      return value.length === 4 ? { kind: 'four-octet-as', asn: reader.u32() } : undefined;
    case CapabilityCode.GracefulRestart:
      return value.length >= 2 && value.length % 4 === 2
        ? decodeGracefulRestart(reader)
        : undefined;
    case CapabilityCode.AddPath:
      return value.length % 4 === 0 ? decodeAddPath(reader) : undefined;
    case CapabilityCode.ExtendedNextHop:
      return value.length % 6 === 0 ? decodeExtendedNextHop(reader) : undefined;
    case CapabilityCode.Role: {
      const role = value.length === 1 ? ROLES[reader.u8()] : undefined;
      return role === undefined ? undefined : { kind: 'role', role };
    }
    case CapabilityCode.LongLivedGracefulRestart:
      return value.length % 7 === 0 ? decodeLongLived(reader) : undefined;
    default:
      return undefined;
  }
}

function decodeLongLived(reader: ByteReader): Capability {
  const families: LongLivedFamily[] = [];
  while (reader.remaining > 0) {
    const afi = reader.u16();
    const safi = reader.u8();
    const forwarding = (reader.u8() & FORWARDING) !== 0;
    families.push({ afi, safi, forwarding, staleSeconds: (reader.u8() << 16) | reader.u16() });
  }
  return { kind: 'long-lived-graceful-restart', families };
}

function decodeGracefulRestart(reader: ByteReader): GracefulRestart {
  const head = reader.u16();
  const families = [];
  while (reader.remaining > 0) {
    const afi = reader.u16();
    const safi = reader.u8();
    families.push({ afi, safi, forwarding: (reader.u8() & FORWARDING) !== 0 });
  }
  return {
    kind: 'graceful-restart',
    restarting: (head & RESTARTING) !== 0,
    notification: (head & NOTIFICATION) !== 0,
    restartTimeSeconds: head & 0x0fff,
    families,
  };
}

function decodeAddPath(reader: ByteReader): Capability {
  const families: AddPathFamily[] = [];
  while (reader.remaining > 0) {
    const afi = reader.u16();
    const safi = reader.u8();
    const mode = reader.u8();
    // RFC 7911 section 4: any other value means that the tuple is ignored.
    if (mode < 1 || mode > 3) continue;
    families.push({ afi, safi, receive: (mode & 1) !== 0, send: (mode & 2) !== 0 });
  }
  return { kind: 'add-path', families };
}

function decodeExtendedNextHop(reader: ByteReader): Capability {
  const families: ExtendedNextHopFamily[] = [];
  while (reader.remaining > 0) {
    families.push({ afi: reader.u16(), safi: reader.u16(), nextHopAfi: reader.u16() });
  }
  return { kind: 'extended-next-hop', families };
}

export function encodeCapability(capability: Capability): Uint8Array {
  const { code, value } = encodeValue(capability);
  return new ByteWriter(2 + value.length).u8(code).u8(value.length).bytes(value).finish();
}

function encodeValue(capability: Capability): { code: number; value: Uint8Array } {
  const writer = new ByteWriter(16);
  switch (capability.kind) {
    case 'multiprotocol':
      writer.u16(capability.afi).u16(capability.safi);
      return { code: CapabilityCode.Multiprotocol, value: writer.finish() };
    case 'route-refresh':
      return { code: CapabilityCode.RouteRefresh, value: writer.finish() };
    case 'enhanced-route-refresh':
      return { code: CapabilityCode.EnhancedRouteRefresh, value: writer.finish() };
    case 'extended-message':
      return { code: CapabilityCode.ExtendedMessage, value: writer.finish() };
    case 'four-octet-as':
      return { code: CapabilityCode.FourOctetAs, value: writer.u32(capability.asn).finish() };
    case 'graceful-restart': {
      const flags =
        (capability.restarting ? RESTARTING : 0) | (capability.notification ? NOTIFICATION : 0);
      writer.u16(flags | (capability.restartTimeSeconds & 0x0fff));
      for (const { afi, safi, forwarding } of capability.families) {
        writer
          .u16(afi)
          .u8(safi)
          .u8(forwarding ? FORWARDING : 0);
      }
      return { code: CapabilityCode.GracefulRestart, value: writer.finish() };
    }
    case 'add-path':
      for (const { afi, safi, receive, send } of capability.families) {
        writer
          .u16(afi)
          .u8(safi)
          .u8((receive ? 1 : 0) | (send ? 2 : 0));
      }
      return { code: CapabilityCode.AddPath, value: writer.finish() };
    case 'extended-next-hop':
      for (const { afi, safi, nextHopAfi } of capability.families) {
        writer.u16(afi).u16(safi).u16(nextHopAfi);
      }
      return { code: CapabilityCode.ExtendedNextHop, value: writer.finish() };
    case 'role':
      writer.u8(ROLES.indexOf(capability.role));
      return { code: CapabilityCode.Role, value: writer.finish() };
    case 'long-lived-graceful-restart':
      for (const { afi, safi, forwarding, staleSeconds } of capability.families) {
        writer
          .u16(afi)
          .u8(safi)
          .u8(forwarding ? FORWARDING : 0)
          .u8(staleSeconds >>> 16)
          .u16(staleSeconds & 0xffff);
      }
      return { code: CapabilityCode.LongLivedGracefulRestart, value: writer.finish() };
    case 'unknown':
      return { code: capability.code, value: capability.value };
    default:
      return capability satisfies never;
  }
}
