// Services of Kubernetes as this node announces them: what comes of the cluster is taken in and judged in turns, so that
// ten thousand services at once hold nobody up.
import type { Clock } from '@calico/clock';
import { type Address, hostPrefix, parsePrefix } from '@calico/ip';
import { keyText } from '@calico/model';
import type { Defer } from '../host/turns.ts';
import {
  type ServiceChange,
  type ServiceChanges,
  ServiceIndex,
} from '../services/service_index.ts';
import type { ServiceRules } from '../services/service_rules.ts';
import { settingsText } from '../speaker/config.ts';

/** So much of a turn of the event loop. */
const TURN_MS = 4;

export type ServiceNews = {
  readonly changes: readonly ServiceChange[];
  /** What is not among the changes is gone. */
  readonly isAll: boolean;
};

export type ServicesOptions = {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly defer: Defer;
  readonly onChanges: (changes: ServiceChanges) => void;
  /** What was known is taken in, and peers are told. */
  readonly onSettled: () => void;
};

export class Services {
  readonly #options: ServicesOptions;
  readonly #index = new ServiceIndex();
  #rulesText = '';
  #waiting: ServiceChange[] = [];
  #taken = 0;
  /** The services of the cluster have come. */
  #isKnown = false;
  #isSoon = false;
  #isStopped = false;
  #follower: (() => void) | undefined;

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /** Whether peers are told what is known. */
  get isSettled(): boolean {
    return this.#waiting.length === 0 && this.#index.isSettled;
  }

  /** Calls back after what is announced has changed. */
  follow(follower: () => void): void {
    this.#follower = follower;
  }

  /** "192.0.2.7/32" …, in no particular order. */
  announced(): string[] {
    return this.#index.announced();
  }

  /** What an earlier process has announced stays until the services of the cluster are known. */
  remember(prefixes: readonly string[]): void {
    this.#index.remember(prefixes.map((text) => parsePrefix(text)));
    this.#soon();
  }

  configure(rules: ServiceRules): void {
    const text = settingsText(rules);
    if (text === this.#rulesText) return;
    this.#rulesText = text;
    this.#index.configure(rules);
    this.#soon();
  }

  take({ changes, isAll }: ServiceNews): void {
    if (isAll) this.#removeAllBut(changes);
    for (const change of changes) this.#waiting.push(change);
    this.#isKnown = true;
    if (this.#waiting.length === 0) this.#index.forget();
    this.#soon();
  }

  /** Why an address is announced or not, a sentence for each service that has it. */
  explain(address: Address): string[] {
    return this.#index.explain(hostPrefix(address));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** What waits has come before: its resources are known as well. */
  #removeAllBut(changes: readonly ServiceChange[]): void {
    const known = [...this.#index.keys(), ...this.#waiting.map(({ key }) => key)];
    if (known.length === 0) return;
    const present = new Set(changes.map(({ key }) => keyText(key)));
    for (const key of known) {
      if (!present.has(keyText(key))) this.#waiting.push({ key, resource: undefined });
    }
  }

  #soon(): void {
    if (this.#isSoon || this.#isStopped || this.isSettled) return;
    this.#isSoon = true;
    this.#options.defer(() => {
      this.#isSoon = false;
      if (!this.#isStopped) this.#work();
    });
  }

  #work(): void {
    const { clock, onChanges, onSettled } = this.#options;
    const end = clock.monotonic() + TURN_MS;
    const goesOn = (): boolean => clock.monotonic() < end;
    this.#takeIn(goesOn);
    if (this.#waiting.length === 0) {
      const changes = this.#index.settle(goesOn);
      if (changes.announced.length + changes.withdrawn.length > 0) {
        onChanges(changes);
        this.#follower?.();
      }
    }
    if (this.isSettled) onSettled();
    else this.#soon();
  }

  #takeIn(goesOn: () => boolean): void {
    while (this.#taken < this.#waiting.length) {
      if (!goesOn()) return;
      const { key, resource } = this.#waiting[this.#taken] as ServiceChange;
      this.#taken += 1;
      if (resource === undefined) this.#index.remove(key);
      else this.#index.put(resource);
    }
    this.#waiting = [];
    this.#taken = 0;
    if (this.#isKnown) this.#index.forget();
  }
}
