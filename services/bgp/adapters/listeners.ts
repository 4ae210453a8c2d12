// Listens where the node is reached, and keeps trying: the port may still be an earlier process's.
import type { Clock } from '@calico/clock';
import { type Address, formatAddress, parseAddress } from '@calico/ip';
import type { Listen } from '../core/node/bgp_node.ts';
import type { Connection, ConnectionHandler } from '../ports.ts';
import { type Listener, listenTcp } from './tcp_transport.ts';

const RETRY_MS = 500;

export class Listeners {
  readonly #clock: Clock;
  readonly #accept: (from: Address, connection: Connection) => ConnectionHandler;
  readonly #onProblem: (problem: string | undefined) => void;
  readonly #listening = new Map<string, Listener | 'pending'>();
  readonly #problems = new Map<string, string>();
  #wanted = new Set<string>();

  constructor(
    clock: Clock,
    accept: (from: Address, connection: Connection) => ConnectionHandler,
    onProblem: (problem: string | undefined) => void,
  ) {
    this.#clock = clock;
    this.#accept = accept;
    this.#onProblem = onProblem;
  }

  set(listen: Listen | undefined): void {
    const wanted = new Set<string>();
    for (const family of [4, 6] as const) {
      const address = listen?.addresses[family];
      if (address !== undefined) wanted.add(`${formatAddress(address)}|${listen?.port}`);
    }
    this.#wanted = wanted;
    for (const [key, listener] of this.#listening) {
      if (wanted.has(key) || listener === 'pending') continue;
      listener.close();
      this.#listening.delete(key);
    }
    for (const key of wanted) if (!this.#listening.has(key)) void this.#open(key);
  }

  close(): void {
    this.set(undefined);
  }

  async #open(key: string): Promise<void> {
    const [address = '', port] = key.split('|');
    this.#listening.set(key, 'pending');
    try {
      const listener = await listenTcp(parseAddress(address), Number(port), this.#accept);
      if (this.#wanted.has(key)) {
        this.#listening.set(key, listener);
      } else {
        listener.close();
        this.#listening.delete(key);
      }
      this.#solve(key, undefined);
    } catch (cause) {
      this.#listening.delete(key);
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#solve(key, `Cannot listen on "${address}" port "${port}": ${reason}`);
      this.#clock.setTimer(RETRY_MS, () => {
        if (this.#wanted.has(key) && !this.#listening.has(key)) void this.#open(key);
      });
    }
  }

  #solve(key: string, problem: string | undefined): void {
    if (problem === undefined) this.#problems.delete(key);
    else this.#problems.set(key, problem);
    const [first] = this.#problems.values();
    this.#onProblem(first);
  }
}
