import type { Log } from '../../ports.ts';
import type { Note } from '../speaker/events.ts';

type Malformed = Extract<Note, { readonly kind: 'malformed' }>;

type Repeated = {
  /** The last one. */
  note: Malformed;
  /** How many have come since the last line. */
  count: number;
  /** When the next line may be written. */
  until: number;
};

/** A peer may send thousands of broken messages a second, each with many faults. */
const EVERY_MS = 60_000;

/**
 * What the speaker has noticed, for people. What peers can bring up without end is said at once, and then once
 * a minute with how often, the rest when nothing more follows.
 */
export class NoteLog {
  readonly #log: Log;
  /** By peer, attribute and treatment. */
  readonly #repeated = new Map<string, Repeated>();

  constructor(log: Log) {
    this.#log = log;
  }

  take(note: Note, now: number): void {
    if (note.kind === 'malformed') this.#malformed(note, now);
    else logNote(this.#log, note);
  }

  /** Says what has been held back for long enough. To be called now and then. */
  maintain(now: number): void {
    for (const [key, repeated] of this.#repeated) {
      if (now < repeated.until) continue;
      this.#repeated.delete(key);
      if (repeated.count === 0) continue;
      this.#sayMore(repeated);
      this.#repeated.set(key, { note: repeated.note, count: 0, until: now + EVERY_MS });
    }
  }

  /** Says what has been held back: nothing follows. */
  stop(): void {
    for (const repeated of this.#repeated.values()) if (repeated.count > 0) this.#sayMore(repeated);
    this.#repeated.clear();
  }

  #sayMore({ note, count }: Repeated): void {
    this.#log.warn('peer sent more malformed updates', { ...fieldsOf(note), count });
  }

  #malformed(note: Malformed, now: number): void {
    const key = `${note.peer}|${note.attribute}|${note.treatment}`;
    const repeated = this.#repeated.get(key);
    if (repeated !== undefined) {
      repeated.note = note;
      repeated.count += 1;
      return;
    }
    this.#repeated.set(key, { note, count: 0, until: now + EVERY_MS });
    this.#log.warn('peer sent a malformed update', fieldsOf(note));
  }
}

function fieldsOf({ kind: _kind, ...fields }: Note): object {
  return fields;
}

function logNote(log: Log, note: Exclude<Note, Malformed>): void {
  const fields = fieldsOf(note);
  switch (note.kind) {
    case 'up':
      return log.info('session established', fields);
    case 'down':
      return log.warn('session lost', fields);
    case 'end-of-rib':
      return log.info('peer has sent all its routes', fields);
    case 'fault':
      return log.warn('session ended by a fault of this program', {
        peer: note.peer,
        error: note.fault,
      });
    case 'prefix-limit':
      return log.warn('peer has told about as many routes as it may, or more', fields);
    case 'path-limit':
      return log.warn('peer tells more paths of a prefix than are kept: refused the rest', fields);
    case 'swept':
      return log.info('routes that a peer did not renew are gone', fields);
    case 'rejudged':
      return;
    default:
      note satisfies never;
  }
}
