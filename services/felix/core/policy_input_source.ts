// Inputs of policy, version after version: they know how their lists came from those before.
import type { AnyResource, Kind, WorkloadEndpoint } from '@calico/model';
import type { ClusterView, PolicyInputs } from '../ports.ts';
import { type FollowedView, isFollowed } from './followed_view.ts';
import { type LongList, withVersions } from './policy/graph/input_versions.ts';
import { listChanges } from './policy/graph/list_changes.ts';
import { asReplacements, type Replacement, VersionedSet } from './policy/graph/versioned_set.ts';
import type { HostInterface } from './policy/host/host_endpoints.ts';
import { POLICY_LISTS, policyInputs, settingInputs } from './policy_inputs.ts';

type Sets = ReadonlyMap<Kind, VersionedSet<AnyResource>>;

export class PolicyInputSource {
  readonly #node: string;
  readonly #view: ClusterView;
  readonly #hostInterfaces: () => readonly HostInterface[];
  #sets: Sets | undefined;
  #position = 0;
  #local: readonly WorkloadEndpoint[] = [];

  constructor(node: string, view: ClusterView, hostInterfaces: () => readonly HostInterface[]) {
    this.#node = node;
    this.#view = view;
    this.#hostInterfaces = hostInterfaces;
  }

  /** `local` replaces what the view holds of this node. */
  inputs(local: readonly WorkloadEndpoint[]): PolicyInputs {
    const view = this.#view;
    if (!isFollowed(view)) return policyInputs(this.#node, view, local, this.#hostInterfaces);
    const sets = this.#follow(view, local);
    const lists = [...sets].map(
      ([kind, set]) => [POLICY_LISTS.get(kind) as LongList, set] as const,
    );
    const settings = settingInputs(this.#node, view, this.#hostInterfaces);
    return withVersions({ ...settings, localEndpoints: local }, new Map(lists));
  }

  #follow(view: FollowedView, local: readonly WorkloadEndpoint[]): Sets {
    const changes = this.#sets && view.changesSince(this.#position);
    const here = listChanges(this.#local, local);
    this.#position = view.position;
    this.#local = local;
    if (this.#sets === undefined || changes === undefined) {
      this.#sets = new Map([...POLICY_LISTS.keys()].map((kind) => [kind, this.#setOf(kind)]));
      return this.#sets;
    }
    if (changes.length === 0 && here.removed.length + here.added.length === 0) return this.#sets;
    const byKind = Map.groupBy(changes, ({ before, after }) => (after ?? before)?.kind);
    const sets = [...this.#sets].map(([kind, set]) => {
      const elsewhere = (byKind.get(kind) ?? []).map((one) => this.#elsewhereOnly(one));
      return [
        kind,
        set.after(
          kind === 'WorkloadEndpoint' ? [...elsewhere, ...asReplacements(here)] : elsewhere,
        ),
      ] as const;
    });
    this.#sets = new Map(sets);
    return this.#sets;
  }

  #setOf(kind: Kind): VersionedSet<AnyResource> {
    const all: readonly AnyResource[] = this.#view.list(kind);
    if (kind !== 'WorkloadEndpoint') return new VersionedSet(all);
    return new VersionedSet([
      ...this.#local,
      ...all.filter((resource) => !this.#isLocal(resource)),
    ]);
  }

  #elsewhereOnly({ before, after }: Replacement<AnyResource>): Replacement<AnyResource> {
    const isElsewhere = (resource: AnyResource | undefined) =>
      resource !== undefined && !this.#isLocal(resource);
    return {
      before: isElsewhere(before) ? before : undefined,
      after: isElsewhere(after) ? after : undefined,
    };
  }

  #isLocal(resource: AnyResource): boolean {
    return resource.kind === 'WorkloadEndpoint' && resource.spec.node === this.#node;
  }
}
