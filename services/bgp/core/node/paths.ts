import { BfdState } from '@calico/bfd-wire';
import { formatAddress } from '@calico/ip';
import type { BfdPort } from '../../ports.ts';
import type { BfdStatus, BfdTarget } from '../bfd/types.ts';
import { type PeerConfig, settingsText } from '../speaker/config.ts';

type InterfaceIndex = (name: string) => number | undefined;

/** The paths to the peers that BFD watches. Peers at one address share one. */
export class Paths {
  readonly #port: BfdPort | undefined;
  readonly #interfaceIndex: InterfaceIndex;
  readonly #statuses = new Map<string, BfdStatus>();
  #watched = '';

  /** @param interfaceIndex of an interface that is up */
  constructor(port: BfdPort | undefined, interfaceIndex: InterfaceIndex) {
    this.#port = port;
    this.#interfaceIndex = interfaceIndex;
  }

  /** Again when an interface may have become another one. */
  configure(peers: Iterable<PeerConfig>): void {
    const targets = new Map<string, BfdTarget>();
    for (const peer of peers) {
      const key = keyOf(peer);
      const target = targets.has(key) ? undefined : this.#targetOf(peer);
      if (target !== undefined) targets.set(key, target);
    }
    for (const key of this.#statuses.keys()) if (!targets.has(key)) this.#statuses.delete(key);
    const watched = settingsText(targets);
    if (watched === this.#watched) return;
    this.#watched = watched;
    this.#port?.configure([...targets.values()]);
  }

  /** Undefined: the path is not watched, or there is no interface that it could lead through. */
  #targetOf({ address, interface: onLink, sourceAddress, policy, bfd }: PeerConfig) {
    if (bfd === undefined) return undefined;
    const { settings } = bfd;
    if (onLink === undefined) return { address, sourceAddress, settings };
    const interfaceIndex = this.#interfaceIndex(onLink);
    if (interfaceIndex === undefined) return undefined;
    const link = { interface: onLink, interfaceIndex };
    return { address, link, sourceAddress: policy.linkLocal, settings };
  }

  /** What was known before. */
  take(status: BfdStatus): BfdStatus | undefined {
    const key = keyOf(status);
    const before = this.#statuses.get(key);
    this.#statuses.set(key, status);
    return before;
  }

  statusOf(peer: PeerConfig): BfdStatus | undefined {
    return peer.bfd === undefined ? undefined : this.#statuses.get(keyOf(peer));
  }

  count(isUp: boolean): number {
    return Array.from(this.#statuses.values()).filter(
      ({ state }) => (state === BfdState.Up) === isUp,
    ).length;
  }

  get problems(): string[] {
    return Array.from(this.#statuses).flatMap(([address, { problem }]) =>
      problem === '' ? [] : [`Cannot watch the path to "${address}": ${problem}`],
    );
  }
}

function keyOf({ address, interface: onLink }: Pick<BfdStatus, 'address' | 'interface'>): string {
  const text = formatAddress(address);
  return onLink === undefined ? text : `${text}%${onLink}`;
}
