// A route request of which only the destination differs from the next one.
import type { Family } from '@calico/ip';
import { MessageWriter } from './message_writer.ts';
import { writeRequest } from './request_codec.ts';
import type { Request, Route } from './types.ts';

/** struct nlmsghdr, struct rtmsg, struct rtattr: then the address. */
const ADDRESS_AT = 16 + 12 + 4;
const LENGTH_AT = 17;
const SEQUENCE_AT = 8;

export type RouteTemplate = {
  readonly family: Family;
  /** The message, for a destination of full length. */
  readonly bytes: Uint8Array;
};

export function routeTemplate(
  action: Extract<Request, { readonly kind: 'route' }>['action'],
  family: Family,
  route: Omit<Route, 'destination'>,
): RouteTemplate {
  const destination = { family, value: 0n, length: family === 4 ? 32 : 128 } as const;
  const writer = new MessageWriter(256);
  writeRequest(writer, { kind: 'route', action, route: { ...route, destination } }, 0);
  return { family, bytes: writer.bytes.slice() };
}

/** Appends the message for a destination. */
export function writeFromTemplate(
  writer: MessageWriter,
  { family, bytes }: RouteTemplate,
  sequence: number,
  length: number,
  words: readonly [number, number, number, number],
): void {
  const at = writer.copyMessage(bytes);
  writer.patchU32(at + SEQUENCE_AT, sequence).patchU8(at + LENGTH_AT, length);
  const count = family === 4 ? 1 : 4;
  for (let word = 0; word < count; word += 1) {
    writer.patchU32be(at + ADDRESS_AT + word * 4, words[word] as number);
  }
}
