// NOTIFICATION message: RFC 4271 section 4.5; shutdown communication: RFC 9003 (obsoletes 8203).
import { ByteReader, ByteWriter } from './bytes.ts';
import { CeaseSubcode, ErrorCode } from './iana.ts';

export type Notification = {
  readonly kind: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
};

const CODES: Readonly<Record<number, string>> = {
  [ErrorCode.Header]: 'Message header error',
  [ErrorCode.Open]: 'OPEN message error',
  [ErrorCode.Update]: 'UPDATE message error',
  [ErrorCode.HoldTimer]: 'Hold timer expired',
  [ErrorCode.FiniteStateMachine]: 'Finite state machine error',
  [ErrorCode.Cease]: 'Cease',
  [ErrorCode.RouteRefresh]: 'ROUTE-REFRESH message error',
  [ErrorCode.SendHoldTimer]: 'Send hold timer expired',
};

const SUBCODES: Readonly<Record<string, string>> = {
  '1.1': 'Connection not synchronized',
  '1.2': 'Bad message length',
  '1.3': 'Bad message type',
  '2.1': 'Unsupported version number',
  '2.2': 'Bad peer AS',
  '2.3': 'Bad BGP identifier',
  '2.4': 'Unsupported optional parameter',
  '2.6': 'Unacceptable hold time',
  '2.7': 'Unsupported capability',
  '2.11': 'Role mismatch',
  '3.1': 'Malformed attribute list',
  '3.2': 'Unrecognized well-known attribute',
  '3.3': 'Missing well-known attribute',
  '3.4': 'Attribute flags error',
  '3.5': 'Attribute length error',
  '3.6': 'Invalid ORIGIN attribute',
  '3.8': 'Invalid NEXT_HOP attribute',
  '3.9': 'Optional attribute error',
  '3.10': 'Invalid network field',
  '3.11': 'Malformed AS_PATH',
  '6.1': 'Maximum number of prefixes reached',
  '6.2': 'Administrative shutdown',
  '6.3': 'Peer de-configured',
  '6.4': 'Administrative reset',
  '6.5': 'Connection rejected',
  '6.6': 'Other configuration change',
  '6.7': 'Connection collision resolution',
  '6.8': 'Out of resources',
  '6.9': 'Hard reset',
  '6.10': 'BFD down',
};

const MAX_SHUTDOWN_BYTES = 255;

export function decodeNotification(body: Uint8Array): Notification {
  const reader = new ByteReader(body);
  return {
    kind: 'notification',
    code: reader.u8(),
    subcode: reader.u8(),
    data: reader.rest().slice(),
  };
}

/** @param maximum octets that the body may have: data beyond are left out */
export function encodeNotification(
  { code, subcode, data }: Notification,
  maximum: number,
): Uint8Array {
  const kept = data.subarray(0, maximum - 2);
  return new ByteWriter(2 + kept.length).u8(code).u8(subcode).bytes(kept).finish();
}

/**
 * Cease with a text for the operator on the other side. The text travels only with administrative
 * shutdown and reset, as UTF-8 cut to 255 bytes at a character's end.
 */
export function cease(subcode: number, text = ''): Notification {
  return {
    kind: 'notification',
    code: ErrorCode.Cease,
    subcode,
    data: carriesText(subcode) && text !== '' ? encodeShutdownText(text) : new Uint8Array(0),
  };
}

/**
 * Ends the session for good although both ends keep routes after a NOTIFICATION: RFC 8538 section 3.
 * The reason travels inside.
 */
export function hardReset({ code, subcode, data }: Notification): Notification {
  const inside = new Uint8Array(2 + data.length);
  inside[0] = code;
  inside[1] = subcode;
  inside.set(data, 2);
  return {
    kind: 'notification',
    code: ErrorCode.Cease,
    subcode: CeaseSubcode.HardReset,
    data: inside,
  };
}

export function isHardReset({ code, subcode }: Notification): boolean {
  return code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset;
}

/** The reason of a hard reset; undefined for other messages, and when none came along. */
export function reasonOfHardReset(message: Notification): Notification | undefined {
  const [code, subcode] = message.data;
  if (!isHardReset(message) || code === undefined || subcode === undefined) return undefined;
  return { kind: 'notification', code, subcode, data: message.data.slice(2) };
}

/** The operator's text of a shutdown or reset; undefined when there is none or it is malformed. */
export function shutdownText(message: Notification): string | undefined {
  if (message.code !== ErrorCode.Cease || !carriesText(message.subcode)) return undefined;
  const length = message.data[0];
  if (length === undefined || length === 0 || length + 1 > message.data.length) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(message.data.subarray(1, 1 + length));
  } catch {
    return undefined; // RFC 9003 section 2: invalid UTF-8 is logged elsewhere, never shown
  }
}

/** "Cease: Administrative shutdown: rebooting for maintenance". */
export function describeNotification(message: Notification): string {
  const code = CODES[message.code] ?? `Error code ${message.code}`;
  const subcode =
    message.subcode === 0
      ? undefined
      : (SUBCODES[`${message.code}.${message.subcode}`] ?? `subcode ${message.subcode}`);
  const inside = reasonOfHardReset(message);
  const reason = inside === undefined ? shutdownText(message) : describeReason(inside);
  return [code, subcode, reason].filter((part) => part !== undefined).join(': ');
}

/** A hard reset inside of another one is not followed: nobody sends that in good faith. */
function describeReason(inside: Notification): string {
  return isHardReset(inside) ? 'Hard reset' : describeNotification(inside);
}

function carriesText(subcode: number): boolean {
  return (
    subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset
  );
}

function encodeShutdownText(text: string): Uint8Array {
  const data = new Uint8Array(1 + MAX_SHUTDOWN_BYTES);
  // encodeInto() never writes half a character.
  const { written } = new TextEncoder().encodeInto(text, data.subarray(1));
  data[0] = written;
  return data.slice(0, 1 + written);
}
