import { BfdState } from '@calico/bfd-wire';
import { formatAddress } from '@calico/ip';
import type { BfdPort } from '../../ports.ts';
import type { BfdStatus, BfdTarget } from '../bfd/types.ts';
import type { PeerConfig } from '../speaker/config.ts';

/** The paths to the peers that BFD watches. Peers at one address share one. */
export class Paths {
  readonly #port: BfdPort | undefined;
  readonly #statuses = new Map<string, BfdStatus>();

  constructor(port: BfdPort | undefined) {
    this.#port = port;
  }

  configure(peers: Iterable<PeerConfig>): void {
    const targets = new Map<string, BfdTarget>();
    for (const { address, sourceAddress, bfd } of peers) {
      const key = formatAddress(address);
      if (bfd === undefined || targets.has(key)) continue;
      targets.set(key, { address, sourceAddress, settings: bfd.settings });
    }
    for (const key of this.#statuses.keys()) if (!targets.has(key)) this.#statuses.delete(key);
    this.#port?.configure([...targets.values()]);
  }

  /** What was known before. */
  take(status: BfdStatus): BfdStatus | undefined {
    const key = formatAddress(status.address);
    const before = this.#statuses.get(key);
    this.#statuses.set(key, status);
    return before;
  }

  statusOf({ address, bfd }: PeerConfig): BfdStatus | undefined {
    return bfd === undefined ? undefined : this.#statuses.get(formatAddress(address));
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
