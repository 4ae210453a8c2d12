// What a process that has just started waits for: until its own routes are known, peers are not told that they are
// all; until nobody can want them any more, routes of an earlier process stay in the kernel.
import type { CancelTimer, Clock } from '@calico/clock';
import type { KernelPort } from '../../ports.ts';
import type { Host } from '../host/host.ts';
import { Later } from '../host/later.ts';
import type { Defer } from '../host/turns.ts';
import type { KernelSync } from '../kernel/kernel_sync.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { removalFor } from './removal.ts';

/** How long own routes may stay incomplete before peers are told that they are all. */
const EXPORT_PATIENCE_MS = 60_000;

type FoundRemoval = ReturnType<typeof removalFor>;

export type RecoveryParts = {
  readonly clock: Clock;
  readonly defer: Defer;
  readonly speaker: Speaker;
  readonly host: Pick<Host, 'completeExports' | 'goOn'>;
  readonly sync: Pick<KernelSync, 'allowRemoval'>;
  readonly interfaceIndex: KernelPort['interfaceIndex'];
  /** Addresses of services, as far as they are known, are among the speaker's routes. */
  readonly areServicesTold: () => boolean;
};

export class Recovery {
  readonly #parts: RecoveryParts;
  readonly #startedAt: number;
  #inSyncAt: number | undefined;
  #isConfigured = false;
  #hasExports = false;
  #isRemovalFull = false;
  #cancelSoon: CancelTimer | undefined;
  /** What may be removed when everything is decided on that was known when that was found. */
  #pending: { readonly removal: FoundRemoval; readonly changeCount: number } | undefined;
  /** More may be, by what has come since. */
  #isAskedAgain = false;
  readonly #later: Later;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
    this.#later = new Later(parts.defer, () => this.#removeWhenSettled());
  }

  /** The cluster's resources have been known completely. */
  get isInSync(): boolean {
    return this.#inSyncAt !== undefined;
  }

  /**
   * Resources have come.
   * @param state.isConfigured the speaker knows what its routes are
   */
  given(state: { readonly inSync: boolean; readonly isConfigured: boolean }): void {
    if (state.inSync) this.#inSyncAt ??= this.#parts.clock.now();
    this.#isConfigured = state.isConfigured;
    this.#completeExports();
    this.#allowRemoval();
  }

  /** Time has passed. */
  maintain(): void {
    this.#completeExports();
    if (!this.#isRemovalFull) this.#allowRemoval();
  }

  /** A peer has told all its routes. To be called also from inside of the speaker's own step. */
  peerComplete(): void {
    if (this.#isRemovalFull) return;
    this.#cancelSoon ??= this.#parts.clock.setTimer(0, () => {
      this.#cancelSoon = undefined;
      this.#allowRemoval();
    });
  }

  stop(): void {
    this.#cancelSoon?.();
    this.#later.stop();
  }

  #completeExports(): void {
    if (this.#hasExports) return;
    const { clock, areServicesTold } = this.#parts;
    const waited = clock.now() - this.#startedAt;
    const areComplete = this.isInSync && areServicesTold();
    if (!areComplete && !(this.#isConfigured && waited >= EXPORT_PATIENCE_MS)) return;
    this.#hasExports = true;
    this.#parts.host.completeExports();
  }

  #allowRemoval(): void {
    if (this.#pending !== undefined) {
      this.#isAskedAgain = true;
      return;
    }
    const { clock, speaker, host, interfaceIndex } = this.#parts;
    const state = { startedAt: this.#startedAt, inSyncAt: this.#inSyncAt };
    const removal = removalFor(speaker, state, clock.now(), interfaceIndex);
    host.goOn();
    this.#pending = { removal, changeCount: speaker.rib.changeCount };
    this.#removeWhenSettled();
  }

  /** What peers have told may be far ahead of what is decided: nobody seems to want those routes yet. */
  #removeWhenSettled(): void {
    if (this.#pending === undefined) return;
    const { removal, changeCount } = this.#pending;
    if (!this.#parts.speaker.rib.hasSettled(changeCount)) return this.#later.ask();
    this.#pending = undefined;
    this.#isRemovalFull = removal.isFull;
    this.#parts.sync.allowRemoval(removal);
    if (!this.#isAskedAgain) return;
    this.#isAskedAgain = false;
    this.#allowRemoval();
  }
}
