import { parsePrefix, prefixContains } from '@calico/ip';

/** Whether one value, prefix, range or name with "*" stands for the text. */
export function covers(pattern: string, text: string): boolean {
  if (pattern === text) return true;
  if (pattern.endsWith('*')) return text.startsWith(pattern.slice(0, -1));
  if (pattern.includes('/')) {
    return prefixContains(parsePrefix(pattern), parsePrefix(text));
  }
  const range = /^(\d+)-(\d+)$/.exec(pattern);
  return range !== null && Number(text) >= Number(range[1]) && Number(text) <= Number(range[2]);
}
