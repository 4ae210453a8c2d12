// Kinds of upstream's that are kept for other programs: nothing here acts on them, and who writes one is told so.
import type { Kind } from '@calico/model';

const NOTES: Partial<Record<Kind, string>> = {
  CalicoNodeStatus:
    'no service here fills its status; ask the node itself: "calicoctl bgp speaker", "bgp peers", "bgp routes"',
  KubeControllersConfiguration: "it is for upstream's kube-controllers",
  LiveMigration: 'addresses do not follow virtual machines here',
};

/** A line for each kind among these that is only stored. */
export function storedOnlyWarnings(kinds: Iterable<Kind>): string {
  return Array.from(new Set(kinds))
    .flatMap((kind) => {
      const note = NOTES[kind];
      return note === undefined ? [] : [`Warning: ${kind} is stored and has no effect: ${note}\n`];
    })
    .join('');
}
