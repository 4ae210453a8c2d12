import { parseAddress } from '@calico/ip';
import { type BGPConfiguration, splitCollector } from '@calico/model';
import type { BmpSettings } from '../bmp/settings.ts';
import { parseDurationSeconds } from './duration.ts';

const STATISTICS_INTERVAL = '60s';

/** Who monitors this node's BGP (BGPConfiguration.bmp); undefined: nobody. */
export function deriveBmp(spec: BGPConfiguration['spec']['bmp']): BmpSettings | undefined {
  const target = splitCollector(spec?.collector ?? '');
  if (spec === undefined || target === undefined) return undefined;
  const has = (table: 'PrePolicy' | 'PostPolicy' | 'LocRib'): boolean =>
    spec.tables?.includes(table) ?? true;
  const statisticsMs = parseDurationSeconds(spec.statisticsInterval ?? STATISTICS_INTERVAL) * 1000;
  return {
    address: parseAddress(target.address),
    port: target.port,
    prePolicy: has('PrePolicy'),
    postPolicy: has('PostPolicy'),
    locRib: has('LocRib'),
    statisticsMs: statisticsMs === 0 ? undefined : statisticsMs,
  };
}
