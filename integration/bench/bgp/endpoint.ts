// One peer of the speaker, that knows as little of BGP as it can.
import { connect, type Socket } from 'node:net';
import { Afi, DEFAULT_CONTEXT, encodeMessage, KEEPALIVE, Safi } from '@calico/bgp-wire';
import { PrefixCounter } from './prefix_counter.ts';
import { type PeerPlan, SPEAKER, type Space } from './world.ts';

const RETRY_MS = 100;
const HOLD_SECONDS = 180;
const KEEPALIVE_MS = 20_000;
const KEEPALIVE_TYPE = 4;
const OPEN_TYPE = 1;
const NOTIFICATION_TYPE = 3;
const keepalive = encodeMessage(KEEPALIVE, DEFAULT_CONTEXT);

export class Endpoint {
  readonly plan: PeerPlan;
  readonly counter: PrefixCounter;
  readonly #routerId: number;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  isClosed = false;
  /** Prefixes that it waits for, and whom it tells. */
  expects = 0;
  onComplete: () => void = () => {};

  constructor(plan: PeerPlan, number: number, space: Space) {
    this.plan = plan;
    this.counter = new PrefixCounter(space);
    this.#routerId = 10 + number;
  }

  /** Resolves once the session is established; tries until then. */
  async connect(): Promise<void> {
    while (!this.isClosed && !(await this.#attempt())) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    this.#timer = setInterval(() => this.#socket?.write(keepalive), KEEPALIVE_MS);
  }

  feed(bytes: Buffer): void {
    this.#socket?.write(bytes);
  }

  /** As when the peer's process dies. */
  kill(): void {
    this.isClosed = true;
    clearInterval(this.#timer);
    this.#socket?.resetAndDestroy();
  }

  #attempt(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { address, asn } = this.plan;
    const socket = connect({
      host: SPEAKER.address,
      port: 179,
      localAddress: address,
      noDelay: true,
    });
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => resolve(false));
    socket.on('connect', () => {
      const capabilities = [
        { kind: 'multiprotocol' as const, afi: Afi.Ipv4, safi: Safi.Unicast },
        { kind: 'four-octet-as' as const, asn },
      ];
      const open = {
        kind: 'open' as const,
        asn,
        holdTimeSeconds: HOLD_SECONDS,
        routerId: this.#routerId,
        capabilities,
      };
      socket.write(encodeMessage(open, DEFAULT_CONTEXT));
    });
    const onMessage = (type: number): void => {
      if (type === OPEN_TYPE) socket.write(keepalive);
      else if (type === KEEPALIVE_TYPE) resolve(true);
      else if (type === NOTIFICATION_TYPE) socket.destroy();
    };
    socket.on('data', (chunk: Buffer) => {
      this.counter.take(chunk, onMessage);
      if (this.expects === 0 || this.counter.count < this.expects) return;
      this.expects = 0;
      this.onComplete();
    });
    return promise;
  }
}
