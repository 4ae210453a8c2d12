import type { RouteScope } from './types.ts';

const NUMBERS: Readonly<Record<RouteScope, number>> = {
  global: 0,
  site: 200,
  link: 253,
  host: 254,
  nowhere: 255,
};

/** RT_SCOPE_*. */
export function scopeNumber(scope: RouteScope): number {
  return NUMBERS[scope];
}

/** Numbers between the named ones (a host may use them) count as the wider named scope. */
export function scopeOf(number: number): RouteScope {
  if (number >= 255) return 'nowhere';
  if (number === 254) return 'host';
  if (number === 253) return 'link';
  return number >= 200 ? 'site' : 'global';
}
