import type { SpeakerEffect } from './events.ts';

/** Says which best paths have changed, and that a loss is over even when its end changes nothing. */
export class RouteNews {
  /** What was said last: whoever took it awaits the rest. */
  #isLosing = false;

  /** @param prefixes what the last slice has changed */
  of(prefixes: readonly number[], isLosing: boolean): SpeakerEffect[] {
    if (prefixes.length === 0 && (isLosing || !this.#isLosing)) return [];
    this.#isLosing = isLosing;
    return [{ kind: 'routes', prefixes, isLosing }];
  }
}
