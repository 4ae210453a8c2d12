// What the kernel says about next hops, as the speaker is to hear of it: what is new, and not in the middle of
// what asks for it.
import { type Address, formatAddress } from '@calico/ip';
import type { Defer } from '../host/turns.ts';
import { shortened } from '../kernel/shortened.ts';
import type { NextHopTable } from '../rib/next_hop_table.ts';
import type { NextHopState } from '../speaker/events.ts';

const NO_NEWS: readonly NextHopState[] = [];

export class NextHopNews {
  readonly #hops: NextHopTable;
  readonly #defer: Defer;
  readonly #onNews: () => void;
  /** The last word on each, by address. */
  readonly #news = new Map<string, NextHopState>();

  /** @param hops of the speaker: what it knows */
  constructor(
    hops: NextHopTable,
    events: {
      readonly defer: Defer;
      /** takeNews() has some. */
      readonly onNews: () => void;
    },
  ) {
    this.#hops = hops;
    this.#defer = events.defer;
    this.#onNews = events.onNews;
  }

  /** Routes that are let in and not used, one sentence for each next hop. */
  get problems(): readonly string[] {
    const hops = this.#hops;
    return shortened(
      hops.cutOff().map(problemOf),
      hops.cutOffCount,
      'next hops are not reachable: routes through them are not used',
    );
  }

  take(state: NextHopState): void {
    const { address, isReachable, cost } = state;
    const isNews = this.#hops.isNews(address, isReachable, cost);
    // Most answers are as before; but what waits may have to be taken back.
    if (!isNews && this.#news.size === 0) return;
    const text = formatAddress(address);
    if (!isNews) {
      this.#news.delete(text);
      return;
    }
    if (this.#news.size === 0) this.#tellLater();
    this.#news.set(text, state);
  }

  /** What the speaker has not heard yet. */
  takeNews(): readonly NextHopState[] {
    if (this.#news.size === 0) return NO_NEWS;
    const news = [...this.#news.values()];
    this.#news.clear();
    return news;
  }

  #tellLater(): void {
    this.#defer(() => {
      if (this.#news.size > 0) this.#onNews();
    });
  }
}

function problemOf(nextHop: Address): string {
  return `Next hop "${formatAddress(nextHop)}" is not reachable: routes through it are not used`;
}
