// Inputs of policy, version after version: lists that have not changed are the same arrays, and those that have know how.
import type { AnyResource, Kind, WorkloadEndpoint } from '@calico/model';
import type { ClusterView, PolicyInputs } from '../ports.ts';
import { listChanges, noteOrigin } from './policy/graph/list_changes.ts';
import type { HostInterface } from './policy/host/host_endpoints.ts';
import { POLICY_KINDS, policyInputs } from './policy_inputs.ts';
import { type ResourceChange, ResourceList } from './resource_list.ts';

/** What a view may offer beyond listing: the view of the feed does. */
type FollowedView = ClusterView & {
  readonly position: number;
  changesSince(position: number): readonly ResourceChange<AnyResource>[] | undefined;
  endpointsOf(node: string): readonly WorkloadEndpoint[];
};

function isFollowed(view: ClusterView): view is FollowedView {
  return 'changesSince' in view;
}

/** The endpoints of one node, as far as possible without a look at the others. */
export function endpointsOf(node: string, view: ClusterView): readonly WorkloadEndpoint[] {
  if (isFollowed(view)) return view.endpointsOf(node);
  return view.list('WorkloadEndpoint').filter(({ spec }) => spec.node === node);
}

type Lists = ReadonlyMap<Kind, ResourceList<AnyResource>>;

export class PolicyInputSource {
  readonly #node: string;
  readonly #view: ClusterView;
  readonly #hostInterfaces: () => readonly HostInterface[];
  #lists: Lists | undefined;
  #position = 0;
  #local: readonly WorkloadEndpoint[] = [];
  #elsewhere: readonly WorkloadEndpoint[] = [];
  #all: readonly WorkloadEndpoint[] = [];

  constructor(node: string, view: ClusterView, hostInterfaces: () => readonly HostInterface[]) {
    this.#node = node;
    this.#view = view;
    this.#hostInterfaces = hostInterfaces;
  }

  /** `local` replaces what the view holds of this node. */
  inputs(local: readonly WorkloadEndpoint[]): PolicyInputs {
    const view = this.#view;
    if (!isFollowed(view)) return policyInputs(this.#node, view, local, this.#hostInterfaces);
    const lists = this.#follow(view);
    const elsewhere = (lists.get('WorkloadEndpoint')?.items ?? []) as readonly WorkloadEndpoint[];
    const others: ClusterView = {
      inSync: view.inSync,
      revision: view.revision,
      list<K extends Kind>(kind: K) {
        const items: readonly unknown[] =
          kind === 'WorkloadEndpoint' ? [] : (lists.get(kind)?.items ?? view.list(kind));
        return items as readonly Extract<AnyResource, { readonly kind: K }>[];
      },
    };
    return {
      ...policyInputs(this.#node, others, [], this.#hostInterfaces),
      localEndpoints: local,
      workloadEndpoints: this.#join(local, elsewhere),
    };
  }

  #follow(view: FollowedView): Lists {
    const changes = this.#lists && view.changesSince(this.#position);
    this.#position = view.position;
    if (this.#lists === undefined || changes === undefined) {
      const lists = [...POLICY_KINDS].map((kind) => [kind, this.#listOf(kind)] as const);
      this.#lists = new Map(lists);
      return this.#lists;
    }
    const byKind = Map.groupBy(changes, ({ before, after }) => (after ?? before)?.kind);
    for (const [kind, some] of byKind) {
      if (kind !== undefined)
        this.#lists.get(kind)?.change(some.map((one) => this.#elsewhereOnly(one)));
    }
    return this.#lists;
  }

  #listOf(kind: Kind): ResourceList<AnyResource> {
    const all: readonly AnyResource[] = this.#view.list(kind);
    return new ResourceList(all.filter((resource) => !this.#isLocal(resource)));
  }

  #elsewhereOnly({ before, after }: ResourceChange<AnyResource>): ResourceChange<AnyResource> {
    return { before, after: after !== undefined && this.#isLocal(after) ? undefined : after };
  }

  #isLocal(resource: AnyResource): boolean {
    return resource.kind === 'WorkloadEndpoint' && resource.spec.node === this.#node;
  }

  #join(
    local: readonly WorkloadEndpoint[],
    elsewhere: readonly WorkloadEndpoint[],
  ): readonly WorkloadEndpoint[] {
    const [here, there] = [
      listChanges(this.#local, local),
      listChanges(this.#elsewhere, elsewhere),
    ];
    const removed = [...here.removed, ...there.removed];
    const added = [...here.added, ...there.added];
    if (removed.length + added.length > 0) {
      const all = local.concat(elsewhere);
      noteOrigin(all, this.#all, { removed, added });
      this.#all = all;
    }
    this.#local = local;
    this.#elsewhere = elsewhere;
    return this.#all;
  }
}
