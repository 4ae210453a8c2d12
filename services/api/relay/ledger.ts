// What the stream holds, as the leader knows it. Pure.
//
// Every message is published over the exact one that this ledger names, so a former leader that does
// not know yet that it is one, or anybody else, cannot get in between unnoticed.
import { parseResourceSubject, type StreamContents, SubjectError } from '@calico/bus';
import { keyText, type ResourceKey } from '@calico/model';
import type { WatchEvent } from '@calico/store';
import { type Change, readEntry, relayedKeyAt, removalOf } from './change.ts';

type Line = {
  readonly kind: 'put' | 'removed';
  readonly sequence: number;
  readonly storedAt: number;
};
type Place = { readonly key: ResourceKey; readonly node: string | undefined };

/** etcd's state at a revision, by subject. */
export type Truth = { readonly revision: bigint; readonly puts: ReadonlyMap<string, Change> };

export type Repair = {
  readonly changes: readonly Change[];
  /** Subjects that are nobody's, with the sequence of what they hold. */
  readonly purges: ReadonlyMap<string, number>;
};

export class Ledger {
  readonly #lines = new Map<string, Line>();
  /** Where each resource that exists was published. */
  readonly #places = new Map<string, Place & { readonly subject: string }>();

  constructor(contents: StreamContents) {
    for (const [subject, { sequence, storedAt, state }] of contents.subjects) {
      this.#lines.set(subject, { kind: state?.kind ?? 'put', sequence, storedAt });
    }
  }

  /** Sequence of what the subject holds; 0: nothing. */
  sequence(subject: string): number {
    return this.#lines.get(subject)?.sequence ?? 0;
  }

  published({ kind, subject, key, node }: Change, sequence: number, now: number): void {
    this.#lines.set(subject, { kind, sequence, storedAt: now });
    const text = keyText(key);
    if (kind === 'put') this.#places.set(text, { key, node, subject });
    else if (this.#places.get(text)?.subject === subject) this.#places.delete(text);
  }

  purged(subject: string): void {
    this.#lines.delete(subject);
  }

  /** Removals published before `time`, by subject with their sequence. */
  removalsBefore(time: number): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const [subject, { kind, sequence, storedAt }] of this.#lines) {
      if (kind === 'removed' && storedAt < time) found.set(subject, sequence);
    }
    return found;
  }

  /**
   * What turns the stream into the truth. `sameData`: revisions in the stream are those of this etcd,
   * so that equal revisions mean equal contents.
   */
  repair(truth: Truth, contents: StreamContents, sameData: boolean): Repair {
    const changes: Change[] = [];
    const purges = new Map<string, number>();
    const alive = new Set([...truth.puts.values()].map(({ key }) => keyText(key)));
    for (const [subject, { sequence, state }] of contents.subjects) {
      const wanted = truth.puts.get(subject);
      if (wanted !== undefined) {
        const isThere = sameData && state?.kind === 'put' && state.revision === wanted.revision;
        if (isThere) this.published(wanted, sequence, this.#lines.get(subject)?.storedAt ?? 0);
        else changes.push(wanted);
        continue;
      }
      if (sameData && state?.kind === 'removed') continue;
      const place = state ?? placeOf(subject);
      // A resource that lies on another subject now is not gone: saying so would remove it there.
      const isNobodys = place === undefined || alive.has(keyText(place.key));
      if (isNobodys) purges.set(subject, sequence);
      else changes.push(removalOf(place, truth.revision));
    }
    for (const [subject, wanted] of truth.puts) {
      if (!contents.subjects.has(subject)) changes.push(wanted);
    }
    return { changes: changes.toSorted(byRevision), purges };
  }

  /** What etcd's events mean for the stream, the last one per subject, in order of revision. */
  changes(events: readonly WatchEvent[], unreadable: (reason: string) => void): readonly Change[] {
    const last = new Map<string, Change>();
    const places = new Map<string, (Place & { readonly subject: string }) | undefined>();
    const note = (change: Change): void => {
      last.delete(change.subject);
      last.set(change.subject, change);
    };
    for (const event of events) {
      const path = event.kind === 'put' ? event.entry.key : event.key;
      const key = relayedKeyAt(path);
      if (key === undefined) continue;
      const text = keyText(key);
      const place = places.has(text) ? places.get(text) : this.#places.get(text);
      const revision = event.kind === 'put' ? event.entry.modRevision : event.revision;
      const put =
        event.kind === 'put' ? readPut(path, event.entry.value, revision, unreadable) : undefined;
      if (place !== undefined && place.subject !== put?.subject) note(removalOf(place, revision));
      if (put !== undefined) note(put);
      places.set(text, put);
    }
    return [...last.values()];
  }
}

function readPut(
  path: string,
  value: string,
  revision: bigint,
  unreadable: (reason: string) => void,
): Change | undefined {
  const read = readEntry(path, value, revision);
  if (read.kind === 'unreadable') unreadable(read.reason);
  return read.kind === 'put' ? read.change : undefined;
}

function placeOf(subject: string): Place | undefined {
  try {
    return parseResourceSubject(subject);
  } catch (cause) {
    if (cause instanceof SubjectError) return undefined;
    throw cause;
  }
}

function byRevision(a: Change, b: Change): number {
  return a.revision < b.revision ? -1 : a.revision > b.revision ? 1 : 0;
}
