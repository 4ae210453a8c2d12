// How the kernel reaches next hops, as far as it has been asked.
import { type Address, formatAddress, isLinkLocal } from '@calico/ip';
import type { Resolution } from './types.ts';

/** An address, with the interface that it is on when it is link-local. */
export type NextHop = { readonly address: Address; readonly interfaceName: string | undefined };

type Way = { readonly resolution: Resolution | undefined };

/** Next hops that nobody uses any more are not looked for: a round of questions about all others leaves them behind. */
export class KnownWays {
  #ways = new Map<string, Way>();
  /** Found out before the round began, and not looked at since. */
  #before = new Map<string, Way>();

  /** Undefined: nobody has asked. */
  of(nextHop: NextHop): Way | undefined {
    const text = textOf(nextHop);
    const way = this.#ways.get(text);
    if (way !== undefined) return way;
    const before = this.#before.get(text);
    if (before !== undefined) this.#ways.set(text, before);
    return before;
  }

  set(nextHop: NextHop, resolution: Resolution | undefined): void {
    this.#ways.set(textOf(nextHop), { resolution });
  }

  roundBegins(): void {
    this.#before = this.#ways;
    this.#ways = new Map();
  }

  roundIsOver(): void {
    this.#before = new Map();
  }
}

function textOf({ address, interfaceName }: NextHop): string {
  const text = formatAddress(address);
  return isLinkLocal(address) ? `${text}%${interfaceName}` : text;
}
