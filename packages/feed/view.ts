import { type AnyResource, type Kind, keyOf, keyText, type ResourceKey } from '@calico/model';
import type { FeedEvent } from './events.ts';

type ResourceOf<K extends Kind> = Extract<AnyResource, { readonly kind: K }>;
type Held = { readonly key: ResourceKey; readonly resource: AnyResource; generation: number };

/** A resource that came (`before` undefined), went (`after` undefined) or was replaced. */
export type ViewChange = {
  readonly before: AnyResource | undefined;
  readonly after: AnyResource | undefined;
};

/** Who is further behind lists everything again. */
const MOST_CHANGES = 20_000;

/**
 * The cluster as a feed has told it. Pure: a function of the events applied.
 *
 * A snapshot marks what it holds; at its `in-sync` what was not marked is swept out. Until then all
 * that was known stays, so a new snapshot never makes anything disappear for a moment.
 */
export class ResourceView {
  readonly #held = new Map<string, Held>();
  readonly #byKind = new Map<Kind, Map<string, AnyResource>>();
  readonly #changedKinds = new Set<Kind>();
  readonly #endpointsByNode = new Map<string, Map<string, AnyResource>>();
  #changes: ViewChange[] = [];
  /** Position of the first of #changes. */
  #firstChange = 0;
  #generation = 0;
  #inSnapshot = false;
  #inSync = false;
  #revision = 0n;

  /** True once a complete state has been seen; stays true while a later snapshot runs. */
  get inSync(): boolean {
    return this.#inSync;
  }

  /** The state is complete up to this etcd revision; 0n before the first `in-sync`. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Kinds of which something changed since takeChangedKinds(). */
  get changedKinds(): ReadonlySet<Kind> {
    return this.#changedKinds;
  }

  /** As changedKinds, and starts anew. */
  takeChangedKinds(): ReadonlySet<Kind> {
    const kinds = new Set(this.#changedKinds);
    this.#changedKinds.clear();
    return kinds;
  }

  get<K extends Kind>(kind: K, name: string, namespace = ''): ResourceOf<K> | undefined {
    const found = this.#byKind.get(kind)?.get(keyText({ kind, namespace, name }));
    return found as ResourceOf<K> | undefined;
  }

  /** Where the changes are at now. */
  get position(): number {
    return this.#firstChange + this.#changes.length;
  }

  /** What changed since a position, oldest first; undefined when that is too long ago. */
  changesSince(position: number): readonly ViewChange[] | undefined {
    if (position < this.#firstChange) return undefined;
    return this.#changes.slice(position - this.#firstChange);
  }

  /** The WorkloadEndpoints of a node, without a look at the others. */
  endpointsOf(node: string): readonly ResourceOf<'WorkloadEndpoint'>[] {
    return [
      ...(this.#endpointsByNode.get(node)?.values() ?? []),
    ] as ResourceOf<'WorkloadEndpoint'>[];
  }

  /** In no particular order. */
  list<K extends Kind>(kind: K): readonly ResourceOf<K>[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])] as ResourceOf<K>[];
  }

  apply(event: FeedEvent): void {
    switch (event.kind) {
      case 'snapshot-start':
        this.#generation++;
        this.#inSnapshot = true;
        return;
      case 'put':
        return this.#put(event.resource);
      case 'removed':
        return this.#remove(event.key);
      case 'in-sync':
        if (this.#inSnapshot) this.#sweep();
        this.#inSnapshot = false;
        this.#inSync = true;
        this.#revision = event.revision;
        return;
      case 'source-lost':
        return;
      default:
        event satisfies never;
    }
  }

  #put(resource: AnyResource): void {
    const key = keyOf(resource);
    const text = keyText(key);
    this.#held.set(text, { key, resource, generation: this.#generation });
    let ofKind = this.#byKind.get(key.kind);
    if (ofKind === undefined) {
      ofKind = new Map();
      this.#byKind.set(key.kind, ofKind);
    }
    this.#note(text, ofKind.get(text), resource);
    ofKind.set(text, resource);
    this.#changedKinds.add(key.kind);
  }

  #remove(key: ResourceKey): void {
    const text = keyText(key);
    if (!this.#held.delete(text)) return;
    this.#note(text, this.#byKind.get(key.kind)?.get(text), undefined);
    this.#byKind.get(key.kind)?.delete(text);
    this.#changedKinds.add(key.kind);
  }

  #note(text: string, before: AnyResource | undefined, after: AnyResource | undefined): void {
    if (before?.kind === 'WorkloadEndpoint') {
      this.#endpointsByNode.get(before.spec.node)?.delete(text);
    }
    if (after?.kind === 'WorkloadEndpoint') {
      const { node } = after.spec;
      const known = this.#endpointsByNode.get(node) ?? new Map<string, AnyResource>();
      this.#endpointsByNode.set(node, known.set(text, after));
    }
    this.#changes.push({ before, after });
    if (this.#changes.length <= MOST_CHANGES) return;
    this.#firstChange += MOST_CHANGES / 2;
    this.#changes = this.#changes.slice(MOST_CHANGES / 2);
  }

  #sweep(): void {
    for (const { key, generation } of this.#held.values()) {
      if (generation < this.#generation) this.#remove(key);
    }
  }
}
