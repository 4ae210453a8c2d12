// Values that fields of several kinds hold. Each knows what it accepts and says so.
import { IpError, parseAddress, parseInterfaceAddress, parsePrefix } from '@calico/ip';
import { parseSelector, SelectorError } from '@calico/selector';
import * as z from 'zod';
import type { SchemaStyle } from '../schema_style.ts';

const LABEL_NAME = '[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?';
const DNS_LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const SUBDOMAIN = new RegExp(
  `^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$`,
);
const LABEL_KEY = new RegExp(`^(?:${DNS_LABEL}(?:\\.${DNS_LABEL})*/)?${LABEL_NAME}$`);
const LABEL_VALUE = new RegExp(`^(?:${LABEL_NAME})?$`);

/** DNS-1123 subdomain of at most 253 characters. */
export function isSubdomain(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}

/** DNS-1123 label of at most 63 characters. */
export function isDnsLabel(text: string): boolean {
  return new RegExp(`^${DNS_LABEL}$`).test(text);
}

export function isLabelKey(text: string): boolean {
  return LABEL_KEY.test(text);
}

export function isLabelValue(text: string): boolean {
  return LABEL_VALUE.test(text);
}

/** A text that `problem` finds nothing wrong with. What is no text is answered as an empty one would be. */
export function textThat(problem: (text: string) => string | undefined) {
  const error = ({ input }: { input?: unknown }) => (input === undefined ? undefined : problem(''));
  return z.string({ error }).superRefine((text, context) => {
    const message = problem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', input: text, message });
  });
}

export const nodeName = textThat((text) =>
  isSubdomain(text) ? undefined : 'expected a node name: lower-case letters, digits, "-" and "."',
);

export const interfaceName = textThat((text) =>
  /^[a-zA-Z0-9_.-]{1,15}$/.test(text)
    ? undefined
    : 'expected an interface name of 1 to 15 characters from a-z, A-Z, 0-9, "_", "." and "-"',
);

/** Of a port or a community. */
export const shortName = textThat((text) =>
  /^[a-zA-Z0-9_.-]{1,128}$/.test(text)
    ? undefined
    : 'expected a name of 1 to 128 characters from a-z, A-Z, 0-9, "_", "." and "-"',
);

export const address = textThat((text) => ipProblem(() => parseAddress(text)));

/** Refuses bits behind the prefix length. */
export const cidr = textThat((text) =>
  text.includes('/')
    ? ipProblem(() => parsePrefix(text))
    : 'expected a prefix with its length, for example "10.244.0.0/16"',
);

/** An address or a prefix; bits behind the length are allowed, as upstream does in rules. */
export const net = textThat((text) => ipProblem(() => parsePrefix(text, { hostBits: 'clear' })));

/** An address or a prefix without bits behind the length. */
export const exactNet = textThat((text) => ipProblem(() => parsePrefix(text)));

/** The address of an interface, with or without the length of its network. */
export const interfaceAddress = textThat((text) => ipProblem(() => parseInterfaceAddress(text)));

export function ofFamily(family: 4 | 6, schema: typeof address) {
  return schema.superRefine((text, context) => {
    if (text.includes(':') === (family === 6)) return;
    context.addIssue({ code: 'custom', input: text, message: `expected an IPv${family} address` });
  });
}

export const selector = textThat((text) => {
  if (text.length > 1024) return `expected at most 1024 characters, found ${text.length}`;
  try {
    parseSelector(text);
    return undefined;
  } catch (cause) {
    if (cause instanceof SelectorError)
      return `${cause.message.replace(/^Cannot parse selector .* at position [0-9]+: /, '')}, at position ${cause.position}`;
    throw cause;
  }
});

/** AS 0 is nobody's (RFC 7607) and refused; documents that were stored with it are read. */
export function asNumber(style: SchemaStyle) {
  return z.union([z.number(), z.string()]).transform((input, context) => {
    const value = asnValue(input);
    if (value !== undefined && (value > 0 || !style.isStrict)) return value;
    const message = 'expected an AS number: 1 to 4294967295, or two parts as in "64.512"';
    context.addIssue({ code: 'custom', input, message });
    return z.NEVER;
  });
}

/** A stored 0 is as good as none. */
export function maybeAsNumber(style: SchemaStyle) {
  return asNumber(style)
    .transform((value) => value || undefined)
    .optional();
}

/** RFC 5396 asdot is accepted. */
function asnValue(input: number | string): number | undefined {
  const match = /^([0-9]{1,10})(?:\.([0-9]{1,5}))?$/.exec(String(input));
  if (match === null) return undefined;
  const [high, low] = [Number(match[1]), match[2] === undefined ? undefined : Number(match[2])];
  const isRead = low === undefined ? high <= 0xffff_ffff : high <= 0xffff && low <= 0xffff;
  const value = low === undefined ? high : high * 0x1_0000 + low;
  return isRead ? value : undefined;
}

/** Go's duration text, as in "15m0s". */
export const duration = textThat((text) =>
  /^-?(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+$|^0$/.test(text)
    ? undefined
    : 'expected a duration, for example "90s" or "1m30s"',
);

export function integer(minimum: number, maximum: number) {
  return z.number().superRefine((value, context) => {
    if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
    const message = `expected a whole number from ${minimum} to ${maximum}`;
    context.addIssue({ code: 'custom', input: value, message });
  });
}

export const port = integer(1, 65_535);

export const macAddress = textThat((text) =>
  /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(text)
    ? undefined
    : 'expected a MAC address, for example "ee:ee:ee:ee:ee:ee"',
);

/** Standard (aa:nn) or large (aa:nn:mm) community: RFC 1997, RFC 8092. */
export function isCommunity(text: string): boolean {
  const parts = text.split(':');
  if (!parts.every((part) => /^(0|[1-9][0-9]{0,9})$/.test(part))) return false;
  if (parts.length === 2) return parts.every((part) => Number(part) <= 0xffff);
  return parts.length === 3 && parts.every((part) => Number(part) <= 0xffff_ffff);
}

export function ipProblem(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (cause) {
    if (cause instanceof IpError)
      return cause.message.replace(/^Cannot parse [a-z]+ "[^"]*": /, '');
    throw cause;
  }
}
