// Counters of policies: per rule over all nodes, or per policy.
import type { GetStatsResponse, RuleStats } from '@calico/proto/felix/v1/policy';
import { formatColumns } from './columns.ts';

/** Counters of the same rule on several nodes, added up; those of defaults too. */
export function totalsOf(nodes: readonly GetStatsResponse[]): RuleStats[] {
  const totals = new Map<string, RuleStats>();
  for (const one of nodes.flatMap(({ rules }) => rules)) {
    const { kind, namespace, name, direction, rule, action, description } = one;
    const key = JSON.stringify([kind, namespace, name, direction, rule, action, description]);
    const before = totals.get(key);
    totals.set(key, {
      ...one,
      packets: one.packets + (before?.packets ?? 0n),
      bytes: one.bytes + (before?.bytes ?? 0n),
    });
  }
  return [...totals.values()];
}

const HEADINGS = ['KIND', 'POLICY', 'DIRECTION', 'RULE', 'ACTION', 'PACKETS', 'BYTES'];

/** Rules of policies first, in their order; then what no policy decided, if it happened. */
export function formatPolicyStats(stats: readonly RuleStats[]): string {
  const rows = stats
    .filter(({ kind, packets }) => kind !== '' || packets > 0n)
    .toSorted(compare)
    .map((one) => [
      one.kind === '' ? 'default' : one.kind,
      one.kind === '' ? one.description : nameOf(one),
      one.direction || '-',
      one.rule === 0 ? '-' : String(one.rule),
      one.action || '-',
      String(one.packets),
      String(one.bytes),
    ]);
  if (rows.length === 0) return 'No counters found.\n';
  return `${formatColumns([HEADINGS, ...rows])
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** "default/web" or "deny-all". */
export function nameOf({ namespace, name }: RuleStats): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

const KINDS = ['GlobalNetworkPolicy', 'NetworkPolicy', 'Profile', ''];

function compare(a: RuleStats, b: RuleStats): number {
  return (
    KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) ||
    (textOf(a) < textOf(b) ? -1 : Number(textOf(a) > textOf(b))) ||
    a.rule - b.rule ||
    (a.description < b.description ? -1 : 1)
  );
}

function textOf(one: RuleStats): string {
  return `${nameOf(one)} ${one.direction}`;
}
