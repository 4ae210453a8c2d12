import { type AnyResource, type Kind, keyOf, keyText, type ResourceKey } from '@calico/model';
import type { FeedEvent } from './events.ts';

type ResourceOf<K extends Kind> = Extract<AnyResource, { readonly kind: K }>;
type Held = { readonly key: ResourceKey; readonly resource: AnyResource; generation: number };

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
    ofKind.set(text, resource);
    this.#changedKinds.add(key.kind);
  }

  #remove(key: ResourceKey): void {
    const text = keyText(key);
    if (!this.#held.delete(text)) return;
    this.#byKind.get(key.kind)?.delete(text);
    this.#changedKinds.add(key.kind);
  }

  #sweep(): void {
    for (const { key, generation } of this.#held.values()) {
      if (generation < this.#generation) this.#remove(key);
    }
  }
}
