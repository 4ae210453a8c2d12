// What an operator is told about the cluster's policies, followed change by change where the view can tell.
import type { ClusterView } from '../ports.ts';
import { isFollowed } from './followed_view.ts';
import type { AnyPolicy } from './policy/meaning/ordering.ts';
import { policyRemarks } from './policy/meaning/remarks.ts';
import { pendingPolicies } from './policy_inputs.ts';

/** At most so many sentences about policies go into a report. */
const MOST_REMARKS = 20;

export class PolicyNotes {
  readonly #view: ClusterView;
  /** Of policies about which there is something to say. */
  #remarks = new Map<AnyPolicy, readonly string[]>();
  #position: number | undefined;

  constructor(view: ClusterView) {
    this.#view = view;
  }

  /** What has no effect, or not yet: staged policies are counted and never enforced. */
  list(): string[] {
    this.#follow();
    const pending = pendingPolicies(this.#view);
    const remarks = [...this.#remarks.values()].flat().toSorted();
    return [
      ...(pending === 0 ? [] : [`pending: ${pending} staged policies, not enforced`]),
      ...remarks.slice(0, MOST_REMARKS),
    ];
  }

  #follow(): void {
    const view = this.#view;
    const changes =
      isFollowed(view) && this.#position !== undefined
        ? view.changesSince(this.#position)
        : undefined;
    if (isFollowed(view)) this.#position = view.position;
    // A tier decides about all policies of it.
    if (changes?.every(({ before, after }) => (after ?? before)?.kind !== 'Tier') !== true) {
      this.#remarks = new Map();
      for (const policy of view.list('NetworkPolicy')) this.#note(policy);
      for (const policy of view.list('GlobalNetworkPolicy')) this.#note(policy);
      return;
    }
    for (const { before, after } of changes) {
      if (isPolicy(before)) this.#remarks.delete(before);
      if (isPolicy(after)) this.#note(after);
    }
  }

  #note(policy: AnyPolicy): void {
    const remarks = policyRemarks([policy], this.#view.list('Tier'));
    if (remarks.length > 0) this.#remarks.set(policy, remarks);
  }
}

function isPolicy(resource: { readonly kind: string } | undefined): resource is AnyPolicy {
  return resource?.kind === 'NetworkPolicy' || resource?.kind === 'GlobalNetworkPolicy';
}
