// Tells the cluster what became true of this node: what is in force at once, everything else soon, bundled,
// and only when it has changed.
import type { CancelTimer, Clock } from '@calico/clock';
import type { Reporter } from '../../ports.ts';
import type { PeerStatuses } from './peer_statuses.ts';

const DELAY_MS = 50;

/** The node that is told about. */
export type Reported = {
  readonly revision: bigint;
  readonly isInSync: boolean;
  readonly isReady: boolean;
  /** What is wrong, one sentence each. */
  readonly messages: readonly string[];
  /** What was put right, one sentence each. */
  readonly recent: readonly string[];
};

export class Reports {
  readonly #clock: Clock;
  readonly #reporter: Reporter;
  readonly #statuses: PeerStatuses;
  readonly #node: Reported;
  readonly #isApplied: () => boolean;
  readonly #onPeers: () => void;
  #told = '';
  #toldApplied = '';
  #cancel: CancelTimer | undefined;

  constructor(parts: {
    readonly clock: Clock;
    readonly reporter: Reporter;
    readonly statuses: PeerStatuses;
    readonly node: Reported;
    /** Whether the effect of everything up to the node's revision is in the kernel. */
    readonly isApplied: () => boolean;
    /** Called after others have been told of peers, too. */
    readonly onPeers: () => void;
  }) {
    this.#clock = parts.clock;
    this.#reporter = parts.reporter;
    this.#statuses = parts.statuses;
    this.#node = parts.node;
    this.#isApplied = parts.isApplied;
    this.#onPeers = parts.onPeers;
  }

  /** At once: somebody may wait for it. */
  applied(): void {
    if (!this.#isApplied()) return;
    const { revision, isInSync } = this.#node;
    const text = `${revision} ${isInSync}`;
    if (text === this.#toldApplied) return;
    this.#toldApplied = text;
    this.#reporter.applied(revision, isInSync);
  }

  /** Something may have changed. */
  soon(): void {
    this.#cancel ??= this.#clock.setTimer(DELAY_MS, () => {
      this.#cancel = undefined;
      this.#tell();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  #tell(): void {
    const peers = this.#statuses.list();
    const { messages, recent, isReady: ready } = this.#node;
    this.applied();
    const text = JSON.stringify([this.#statuses.version, ready, messages, recent]);
    if (text === this.#told) return;
    this.#told = text;
    this.#reporter.peers(peers);
    this.#onPeers();
    this.#reporter.health({ ready, messages, recent });
  }
}
