// All messages in both directions. The body of a Frame comes from framing.ts.
import { TruncatedError } from './bytes.ts';
import { DEFAULT_CONTEXT, type WireContext } from './context.ts';
import { ProtocolError } from './errors.ts';
import { encodeFrame, type Frame, HEADER_LENGTH, maximumLength } from './framing.ts';
import { ErrorCode, HeaderError, MessageType } from './iana.ts';
import { decodeNotification, encodeNotification, type Notification } from './notification.ts';
import { decodeOpen, encodeOpen, type Open } from './open.ts';
import { decodeRouteRefresh, encodeRouteRefresh, type RouteRefresh } from './route_refresh.ts';
import { decodeUpdate, encodeUpdate, type Update } from './update.ts';

export type Keepalive = { readonly kind: 'keepalive' };

export type Message = Open | Update | Notification | Keepalive | RouteRefresh;

export const KEEPALIVE: Keepalive = { kind: 'keepalive' };

/** Throws ProtocolError, and nothing else, for any bytes that are no message. */
export function decodeMessage({ type, body }: Frame, context: WireContext): Message {
  switch (type) {
    case MessageType.Open:
      return decodeOpen(body);
    case MessageType.Update:
      return decodeUpdate(body, context);
    case MessageType.Notification:
      return decodeOrBadLength(body, decodeNotification);
    case MessageType.Keepalive:
      if (body.length > 0) throw badLength(body);
      return KEEPALIVE;
    case MessageType.RouteRefresh:
      return decodeRouteRefresh(body);
    default:
      throw new ProtocolError(
        ErrorCode.Header,
        HeaderError.BadType,
        `Cannot read message: type "${type}" is unknown`,
        Uint8Array.of(type),
      );
  }
}

function decodeOrBadLength<T>(body: Uint8Array, decode: (body: Uint8Array) => T): T {
  try {
    return decode(body);
  } catch (cause) {
    if (!(cause instanceof TruncatedError)) throw cause;
    throw badLength(body);
  }
}

function badLength(body: Uint8Array): ProtocolError {
  const length = body.length + 19;
  return new ProtocolError(
    ErrorCode.Header,
    HeaderError.BadLength,
    `Cannot read message: length "${length}" does not fit its type`,
    Uint8Array.of(length >>> 8, length & 0xff),
  );
}

const TYPES: Readonly<Record<Message['kind'], number>> = {
  open: MessageType.Open,
  update: MessageType.Update,
  notification: MessageType.Notification,
  keepalive: MessageType.Keepalive,
  'route-refresh': MessageType.RouteRefresh,
};

/** The octet of the header that says what it is. */
export function typeOf({ kind }: Message): number {
  return TYPES[kind];
}

/**
 * A whole message with its header. Throws RangeError when it exceeds what the session allows, but for a
 * NOTIFICATION: its data are cut, for what they quote may have filled a message.
 */
export function encodeMessage(
  message: Message,
  context: WireContext = DEFAULT_CONTEXT,
): Uint8Array {
  switch (message.kind) {
    case 'open':
      return encodeFrame(MessageType.Open, encodeOpen(message));
    case 'update':
      return encodeFrame(
        MessageType.Update,
        encodeUpdate(message, context),
        context.extendedMessages,
      );
    case 'notification':
      return encodeFrame(
        MessageType.Notification,
        encodeNotification(message, maximumLength(context.extendedMessages) - HEADER_LENGTH),
        context.extendedMessages,
      );
    case 'keepalive':
      return encodeFrame(MessageType.Keepalive, new Uint8Array(0));
    case 'route-refresh':
      return encodeFrame(MessageType.RouteRefresh, encodeRouteRefresh(message));
    default:
      return message satisfies never;
  }
}
