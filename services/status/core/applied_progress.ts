// On how many nodes changes are in force. Pure.
import { findKind } from '@calico/model';
import type { NodeReports } from './node_reports.ts';

export type Target = { readonly kind: string; readonly revision: bigint };

export type Progress = {
  readonly nodesApplied: number;
  readonly nodesTotal: number;
  /** "k8s-node02 (bgp)" */
  readonly waitingFor: readonly string[];
};

/**
 * A node counts when every component that acts on a target's kind is in sync and has its revision in
 * the kernel. Kinds that nobody on a node acts on are in force at once.
 * Throws RangeError for a kind that does not exist.
 */
export function appliedProgress(
  targets: readonly Target[],
  nodes: readonly string[],
  reportsOf: (node: string) => NodeReports | undefined,
): Progress {
  const needed = neededRevisions(targets);
  const waitingFor = nodes.flatMap((node) => {
    const applied = reportsOf(node)?.applied;
    const late = [...needed].filter(([component, revision]) => {
      const report = applied?.get(component);
      return report === undefined || !report.inSync || report.revision < revision;
    });
    return late.length === 0
      ? []
      : [`${node} (${late.map(([component]) => component).join(', ')})`];
  });
  return { nodesApplied: nodes.length - waitingFor.length, nodesTotal: nodes.length, waitingFor };
}

/** The highest revision that each component has to reach. */
function neededRevisions(targets: readonly Target[]): ReadonlyMap<string, bigint> {
  const needed = new Map<string, bigint>();
  for (const { kind, revision } of targets) {
    const info = findKind(kind);
    if (info === undefined)
      throw new RangeError(`Cannot wait for kind "${kind}": there is no such kind`);
    for (const component of info.consumers) {
      const known = needed.get(component) ?? 0n;
      needed.set(component, revision > known ? revision : known);
    }
  }
  return needed;
}
