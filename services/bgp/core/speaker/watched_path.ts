// What BFD's words mean for BGP: RFC 5882 section 4.
import { BfdState } from '@calico/bfd-wire';
import { CeaseSubcode, cease } from '@calico/bgp-wire';
import type { SessionEvent } from '../session/session.ts';
import type { BfdNews } from './events.ts';

/** The path to one peer, as BFD sees it. */
export class WatchedPath {
  #isUp = false;
  /** Has been up, and nothing but a failure can have ended that since. */
  #isRelied = false;

  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Takes the news in; true when the path is lost now. A peer that has never been up may not speak BFD, one
   * whose operator has turned BFD off may be well, and one whose BFD has started anew is alive.
   */
  hasFailed({ state, cause }: BfdNews): boolean {
    this.#isUp = state === BfdState.Up;
    if (this.#isUp) this.#isRelied = true;
    if (cause === 'administrative') this.#isRelied = false;
    const isLost = state === BfdState.Down && (cause === 'expired' || cause === 'signaled');
    if (!isLost || !this.#isRelied) return false;
    this.#isRelied = false;
    return true;
  }
}

/** RFC 9384. */
const NOTIFICATION = cease(CeaseSubcode.BfdDown);

/** The session ends, and is tried again after a rest. */
export const BFD_DOWN: SessionEvent = {
  kind: 'reset',
  notification: NOTIFICATION,
  reason: 'Sent: Cease: BFD down',
};

/** The session ends, and is tried again when the path is up. */
export const BFD_HOLD: SessionEvent = { kind: 'stop', notification: NOTIFICATION };
