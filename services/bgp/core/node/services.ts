// Services of Kubernetes as this node announces them: what comes of the cluster is taken in and judged in turns, so that
// ten thousand services at once hold nobody up.
import type { Clock } from '@calico/clock';
import { type Address, hostPrefix, parsePrefix } from '@calico/ip';
import type { Defer } from '../host/turns.ts';
import { type ServiceChanges, ServiceIndex } from '../services/service_index.ts';
import { ServiceIntake, type ServiceNews } from '../services/service_intake.ts';
import type { ServiceRules } from '../services/service_rules.ts';
import { settingsText } from '../speaker/config.ts';

/** So much of a turn of the event loop. */
const TURN_MS = 4;

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
  readonly #intake = new ServiceIntake(this.#index);
  #rulesText = '';
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
    return this.#intake.isEmpty && this.#index.isSettled;
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

  take(news: ServiceNews): void {
    this.#intake.add(news);
    this.#isKnown = true;
    this.#soon();
  }

  /** Why an address is announced or not, a sentence for each service that has it. */
  explain(address: Address): string[] {
    return this.#index.explain(hostPrefix(address));
  }

  stop(): void {
    this.#isStopped = true;
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
    this.#intake.goOn(goesOn);
    if (this.#intake.isEmpty) {
      if (this.#isKnown) this.#index.forget();
      const changes = this.#index.settle(goesOn);
      if (changes.announced.length + changes.withdrawn.length > 0) {
        onChanges(changes);
        this.#follower?.();
      }
    }
    if (this.isSettled) onSettled();
    else this.#soon();
  }
}
