// What a view may offer beyond listing: the view of the feed does.
import type { AnyResource, WorkloadEndpoint } from '@calico/model';
import type { ClusterView } from '../ports.ts';
import type { Replacement } from './policy/graph/versioned_set.ts';

export type FollowedView = ClusterView & {
  readonly position: number;
  /** Undefined: too long ago. */
  changesSince(position: number): readonly Replacement<AnyResource>[] | undefined;
  endpointsOf(node: string): readonly WorkloadEndpoint[];
};

export function isFollowed(view: ClusterView): view is FollowedView {
  return 'changesSince' in view;
}

/** The endpoints of one node, as far as possible without a look at the others. */
export function endpointsOf(node: string, view: ClusterView): readonly WorkloadEndpoint[] {
  if (isFollowed(view)) return view.endpointsOf(node);
  return view.list('WorkloadEndpoint').filter(({ spec }) => spec.node === node);
}
