// What felix has to say to people: conditions that hold now, and repairs of the last minutes.
import type { Clock } from '@calico/clock';

/** A repair is shown this long. */
const NOTE_LIFETIME_MS = 10 * 60_000;
const MAX_NOTES = 20;

export class HealthLog {
  readonly #clock: Clock;
  readonly #conditions = new Map<string, readonly string[]>();
  #notes: { readonly at: number; readonly text: string }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces what this source said before; nothing: all is well there. */
  setCondition(source: string, messages: readonly string[]): void {
    if (messages.length === 0) this.#conditions.delete(source);
    else this.#conditions.set(source, [...messages]);
  }

  /** Something that has happened and is over. */
  note(text: string): void {
    this.#notes = this.#notes.filter((note) => note.text !== text);
    this.#notes.push({ at: this.#clock.now(), text });
    this.#notes = this.#notes.slice(-MAX_NOTES);
  }

  conditions(source: string): readonly string[] {
    return this.#conditions.get(source) ?? [];
  }

  /** Conditions by source, then repairs, the oldest first. */
  messages(): string[] {
    const oldest = this.#clock.now() - NOTE_LIFETIME_MS;
    this.#notes = this.#notes.filter(({ at }) => at >= oldest);
    const conditions = [...this.#conditions.entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, messages]) => messages);
    const notes = this.#notes.map(({ at, text }) => `${new Date(at).toISOString()} ${text}`);
    return [...conditions, ...notes];
  }
}
