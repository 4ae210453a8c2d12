// A network in memory: connections with latency, cut into arbitrary pieces, under a fake clock.
import type { FakeClock } from '@calico/clock';
import { type Address, formatAddress } from '@calico/ip';
import type { Connection, ConnectionHandler, DialTarget, Transport } from '../ports.ts';

export type Random = () => number;

/** xorshift32 in [0, 1). */
export function seededRandom(seed: number): Random {
  const state = { value: seed | 1 };
  return () => {
    state.value ^= state.value << 13;
    state.value ^= state.value >>> 17;
    state.value ^= state.value << 5;
    return (state.value >>> 0) / 2 ** 32;
  };
}

type Accept = (from: Address, connection: Connection) => ConnectionHandler;

type End = Connection & {
  readonly owner: string;
  handler: ConnectionHandler | undefined;
  other: End | undefined;
  isOpen: boolean;
  /** Something that it has sent was lost: what follows is no use to the other end. */
  hasLost: boolean;
  /** Runs when everything that was sent before has arrived. */
  readonly deliver: (callback: () => void) => void;
};

export class SimulatedNetwork {
  readonly #clock: FakeClock;
  readonly #random: Random;
  readonly #listeners = new Map<string, Accept>();
  readonly #ends = new Set<End>();
  /** Nodes whose packets vanish. */
  readonly #silent = new Set<string>();
  /** Bytes in one piece at most. */
  readonly #pieceBytes: number;

  constructor(clock: FakeClock, random: Random, pieceBytes = 1_500) {
    this.#clock = clock;
    this.#random = random;
    this.#pieceBytes = pieceBytes;
  }

  listen(address: Address, accept: Accept): void {
    this.#listeners.set(formatAddress(address), accept);
  }

  transportOf(address: Address): Transport {
    return { dial: (target, handler) => this.#dial(address, target, handler) };
  }

  /** The process of the node is gone: the kernel closes its connections. */
  kill(address: Address): void {
    const owner = formatAddress(address);
    this.#listeners.delete(owner);
    for (const end of this.#ends) {
      if (end.owner !== owner) continue;
      end.handler = undefined;
      end.close();
    }
  }

  /** The node is cut off: nothing of it arrives any more, and nobody is told. */
  silence(address: Address): void {
    this.#silent.add(formatAddress(address));
  }

  /** The end of silence(). */
  hear(address: Address): void {
    this.#silent.delete(formatAddress(address));
  }

  #dial(from: Address, target: DialTarget, handler: ConnectionHandler): Connection {
    const near = this.#end(formatAddress(from), handler);
    const to = formatAddress(target.address);
    this.#later(() => {
      if (!near.isOpen || this.#silent.has(to) || this.#silent.has(near.owner)) return;
      const accept = this.#listeners.get(to);
      if (accept === undefined) {
        near.isOpen = false;
        this.#later(() => near.handler?.closed('Connection refused'));
        return;
      }
      const far = this.#end(to, undefined);
      near.other = far;
      far.other = near;
      far.deliver(() => {
        if (near.isOpen) near.handler?.opened();
      });
      far.handler = accept(from, far);
    });
    return near;
  }

  #end(owner: string, handler: ConnectionHandler | undefined): End {
    // What is under way arrives in order: each piece not before the one sent earlier.
    let lastArrival = 0;
    const deliver = (callback: () => void): void => {
      const at = Math.max(lastArrival, this.#clock.now() + this.#latency());
      lastArrival = at;
      this.#clock.setTimer(at - this.#clock.now(), callback);
    };
    const reaches = (): boolean =>
      end.other !== undefined && !this.#silent.has(owner) && !this.#silent.has(end.other.owner);
    const end: End = {
      owner,
      handler,
      other: undefined,
      isOpen: true,
      hasLost: false,
      deliver,
      send: (bytes) => {
        for (let at = 0; at < bytes.length; ) {
          const length = 1 + Math.floor(this.#random() * this.#pieceBytes);
          const piece = bytes.slice(at, at + length);
          at += length;
          deliver(() => {
            if (!reaches()) end.hasLost = true;
            if (!end.hasLost && end.other?.isOpen) end.other.handler?.data(piece);
          });
        }
        return true;
      },
      close: () => {
        if (!end.isOpen) return;
        end.isOpen = false;
        this.#ends.delete(end);
        deliver(() => {
          const { other } = end;
          if (!reaches() || end.hasLost || other === undefined || !other.isOpen) return;
          other.isOpen = false;
          this.#ends.delete(other);
          other.handler?.closed('Connection closed by peer');
        });
      },
    };
    this.#ends.add(end);
    return end;
  }

  #later(callback: () => void): void {
    this.#clock.setTimer(this.#latency(), callback);
  }

  #latency(): number {
    return 0.2 + this.#random() * 2;
  }
}
