// Syntax of names and addresses; without @calico/ip and @calico/model, whose loading would cost more time
// than the rest of the plugin takes.
import { isIP } from 'node:net';

const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/;

export function isDnsLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => DNS_LABEL.test(part));
}

/** "app", "example.org/app". */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf('/');
  const prefix = slash < 0 ? undefined : text.slice(0, slash);
  return LABEL_NAME.test(text.slice(slash + 1)) && (prefix === undefined || isDnsSubdomain(prefix));
}

export function isLabelValue(text: string): boolean {
  return text === '' || LABEL_NAME.test(text);
}

/** Family of an address that may carry a prefix length; undefined when it is none. */
export function familyOfCidr(text: string): 4 | 6 | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  if (rest.length > 0 || (family !== 4 && family !== 6)) return undefined;
  if (length === undefined) return family;
  const isNumber = /^(0|[1-9][0-9]{0,2})$/.test(length);
  return isNumber && Number(length) <= (family === 4 ? 32 : 128) ? family : undefined;
}
