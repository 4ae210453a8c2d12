// Puts in order what sources of different freshness say.
//
//   nats: ─ 90 ─ 91 ─┐ lost            ┌ snapshot at 93 (the relay lags) ─ 97 ─
//   api:             └ list at 95 ─ 96 ┘
//   out:    90   91    95        96                                        97
//
// The floor is the highest revision up to which the state was once complete. A source whose position
// is below the floor is behind: it can neither bring back what is gone nor take away what is there.
import { type AnyResource, keyOf, keyText, type ResourceKey } from '@calico/model';
import type { FeedEvent, FeedSource } from './events.ts';
import type { SourceEvent } from './source_event.ts';

type Known = {
  readonly key: ResourceKey;
  readonly resource: AnyResource;
  readonly revision: bigint;
};

type Source = {
  /** What it says is at least as new as this. */
  position: bigint;
  /** Keys seen in the snapshot that runs; undefined: none runs. */
  seen: Set<string> | undefined;
  /** Known but not in its snapshot, by the revision from which it may judge them. */
  readonly doubtful: Map<string, bigint>;
};

export class Sequencer {
  readonly #known = new Map<string, Known>();
  /** Revisions of removals above the floor: a source that is behind may still bring the resource. */
  readonly #removals = new Map<string, bigint>();
  readonly #sources: Record<FeedSource, Source> = { nats: newSource(), api: newSource() };
  #started = false;
  #floor = 0n;
  #told = 0n;
  #etcdClusterId: string | undefined;

  /** The events that the source's event means, if it means anything new. */
  accept(name: FeedSource, event: SourceEvent): readonly FeedEvent[] {
    const source = this.#sources[name];
    switch (event.kind) {
      case 'snapshot-start':
        return this.#start(name, source, event.position, event.etcdClusterId);
      case 'put':
        return this.#put(source, event.resource, event.revision);
      case 'removed':
        return this.#remove(event.key, event.revision);
      case 'in-sync':
        return this.#inSync(source, event.revision, event.etcdClusterId);
      case 'lost':
        source.seen = undefined;
        source.doubtful.clear();
        return [{ kind: 'source-lost', source: name, reason: event.reason }];
      default:
        return event satisfies never;
    }
  }

  #start(
    name: FeedSource,
    source: Source,
    position: bigint,
    etcdClusterId: string | undefined,
  ): readonly FeedEvent[] {
    // The api lists what etcd holds now: a revision below the floor is that of another etcd, or of
    // one put back in time. NATS may lag, so there only the identity tells.
    const isOther =
      name === 'api'
        ? position < this.#floor
        : etcdClusterId !== undefined &&
          this.#etcdClusterId !== undefined &&
          etcdClusterId !== this.#etcdClusterId;
    if (isOther) this.#forgetRevisions();
    this.#etcdClusterId = etcdClusterId ?? this.#etcdClusterId;
    source.position = position;
    source.seen = new Set();
    source.doubtful.clear();
    if (this.#started) return [];
    this.#started = true;
    return [{ kind: 'snapshot-start', source: name }];
  }

  #put(source: Source, resource: AnyResource, revision: bigint): readonly FeedEvent[] {
    const key = keyOf(resource);
    const text = keyText(key);
    source.seen?.add(text);
    source.doubtful.delete(text);
    if (this.#isStale(source, text, revision)) return [];
    this.#removals.delete(text);
    this.#known.set(text, { key, resource, revision });
    return [{ kind: 'put', resource, revision }];
  }

  #isStale(source: Source, text: string, revision: bigint): boolean {
    const known = this.#known.get(text);
    if (known !== undefined) return revision <= known.revision;
    const removal = this.#removals.get(text);
    // At one revision a put beats a removal: the resource moved from one subject to another.
    if (removal !== undefined) return revision < removal;
    return revision <= this.#floor && source.position < this.#floor;
  }

  #remove(key: ResourceKey, revision: bigint): readonly FeedEvent[] {
    const text = keyText(key);
    const known = this.#known.get(text);
    if (known !== undefined && revision <= known.revision) return [];
    const earlier = this.#removals.get(text) ?? 0n;
    if (revision > this.#floor && revision > earlier) this.#removals.set(text, revision);
    if (known === undefined) return [];
    this.#known.delete(text);
    return [{ kind: 'removed', key, revision }];
  }

  #inSync(
    source: Source,
    revision: bigint,
    etcdClusterId: string | undefined,
  ): readonly FeedEvent[] {
    this.#etcdClusterId ??= etcdClusterId;
    source.position = revision;
    const endsSnapshot = source.seen !== undefined;
    if (source.seen !== undefined) this.#doubt(source, source.seen);
    source.seen = undefined;
    const events = this.#sweep(source);
    if (revision > this.#floor) this.#raiseFloor(revision);
    // Progress that is none is not worth an event, but the end of a snapshot is.
    const isNews = endsSnapshot || events.length > 0 || this.#floor !== this.#told;
    if (!isNews) return [];
    this.#told = this.#floor;
    return [...events, { kind: 'in-sync', revision: this.#floor }];
  }

  #doubt(source: Source, seen: ReadonlySet<string>): void {
    for (const [text, { revision }] of this.#known) {
      if (seen.has(text)) continue;
      source.doubtful.set(text, revision > this.#floor ? revision : this.#floor);
    }
  }

  /** Removes what the source does not have although it is as new as our knowledge of it. */
  #sweep(source: Source): FeedEvent[] {
    const events: FeedEvent[] = [];
    for (const [text, from] of source.doubtful) {
      if (source.position < from) continue;
      source.doubtful.delete(text);
      const known = this.#known.get(text);
      // Something newer came meanwhile, from another source.
      if (known === undefined || known.revision > source.position) continue;
      this.#known.delete(text);
      events.push({ kind: 'removed', key: known.key, revision: source.position });
    }
    return events;
  }

  #raiseFloor(revision: bigint): void {
    this.#floor = revision;
    for (const [text, removal] of this.#removals) {
      if (removal <= revision) this.#removals.delete(text);
    }
  }

  /** Another etcd counts anew: whatever comes from now on is newer than anything known. */
  #forgetRevisions(): void {
    this.#floor = 0n;
    this.#told = 0n;
    this.#removals.clear();
    for (const [text, known] of this.#known) this.#known.set(text, { ...known, revision: 0n });
  }
}

function newSource(): Source {
  return { position: 0n, seen: undefined, doubtful: new Map() };
}
