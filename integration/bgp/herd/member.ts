// One of many BGP ends that a single process plays: it keeps its session up, counts and measures.
import { connect, type Socket } from 'node:net';
import {
  DEFAULT_CONTEXT,
  decodeMessage,
  encodeAnnouncement,
  encodeMessage,
  encodeWithdrawal,
  endOfRib,
  KEEPALIVE,
  MessageFramer,
  type Nlri,
  type WireContext,
} from '@calico/bgp-wire';
import { formatPrefix, type Prefix, parseAddress } from '@calico/ip';

export type MemberState = {
  readonly address: string;
  readonly isEstablished: boolean;
  /** Milliseconds since the epoch; 0: never. */
  readonly establishedAt: number;
  /** When the last prefix that was new arrived; 0: never. */
  readonly toldAt: number;
  /** Prefixes that it has been told, and that were not withdrawn. */
  readonly told: number;
  /** Announcements of prefixes so far, also of the same ones again. */
  readonly heard: number;
  /** The longest silence of the other end while the session has been up. */
  readonly longestSilenceMs: number;
  /** Why the last session ended; "" when none has. */
  readonly ended: string;
};

/** Prefixes that share their attributes. */
const PER_SET = 10;
const RETRY_MS = 500;
const CONTEXT: WireContext = { ...DEFAULT_CONTEXT, peerKind: 'external' };

export class Member {
  readonly address: string;
  readonly #asn: number;
  readonly #holdTimeSeconds: number;
  readonly #told = new Set<string>();
  #target: string | undefined;
  #socket: Socket | undefined;
  #framer = new MessageFramer();
  #routes: readonly Prefix[] = [];
  #isEstablished = false;
  #establishedAt = 0;
  #toldAt = 0;
  #heard = 0;
  #heardAt = 0;
  #longestSilenceMs = 0;
  #ended = '';
  #keepalives: NodeJS.Timeout | undefined;

  constructor(address: string, asn: number, holdTimeSeconds: number) {
    this.address = address;
    this.#asn = asn;
    this.#holdTimeSeconds = holdTimeSeconds;
  }

  get state(): MemberState {
    return {
      address: this.address,
      isEstablished: this.#isEstablished,
      establishedAt: this.#establishedAt,
      toldAt: this.#toldAt,
      told: this.#told.size,
      heard: this.#heard,
      longestSilenceMs: this.#longestSilenceMs,
      ended: this.#ended,
    };
  }

  /** Announced as soon as the session is established. */
  set routes(prefixes: readonly Prefix[]) {
    this.#routes = prefixes;
  }

  /** Until it is established, and again when it ends. */
  dial(target: string): void {
    this.#target = target;
    this.adopt(connect({ host: target, port: 179, localAddress: this.address }));
  }

  /** Speaks on a connection, whoever made it. */
  adopt(socket: Socket): void {
    const before = this.#socket;
    if (before !== undefined) this.#end(before, 'another connection came');
    before?.destroy();
    this.#socket = socket;
    this.#framer = new MessageFramer();
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', (error) => this.#end(socket, error.message));
    socket.on('close', () => this.#end(socket, 'closed'));
    socket.write(
      encodeMessage({
        kind: 'open',
        asn: this.#asn,
        holdTimeSeconds: this.#holdTimeSeconds,
        routerId: Number(parseAddress(this.address).value),
        capabilities: [
          { kind: 'multiprotocol', afi: 1, safi: 1 },
          { kind: 'four-octet-as', asn: this.#asn },
          {
            kind: 'graceful-restart',
            restarting: false,
            notification: false,
            restartTimeSeconds: 120,
            families: [{ afi: 1, safi: 1, forwarding: true }],
          },
        ],
      }),
    );
  }

  /** Stops to read: the other end's bytes pile up with it. Keepalives still go out. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /**
   * False when the connection takes no more for now.
   * @param version 0 to 65535; another one makes the routes new
   */
  announce(prefixes: readonly Prefix[], version: number): boolean {
    const nextHop = parseAddress(this.address);
    const messages: Uint8Array[] = [];
    for (let at = 0; at < prefixes.length; at += PER_SET) {
      const attributes = {
        origin: 0,
        asPath: [{ kind: 'sequence', asns: [this.#asn] }],
        communities: [version * 65_536 + ((at / PER_SET) % 65_536)],
      } as const;
      const nlri = prefixes.slice(at, at + PER_SET).map(asNlri);
      messages.push(...encodeAnnouncement({ family: 4, nextHop, attributes, nlri }, CONTEXT));
    }
    return this.#write(messages);
  }

  withdraw(prefixes: readonly Prefix[]): boolean {
    return this.#write(encodeWithdrawal(4, prefixes.map(asNlri), CONTEXT));
  }

  /** Resolves when the connection takes more, or is gone. */
  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('drain', resolve);
      socket.once('close', resolve);
    });
  }

  close(): void {
    this.#target = undefined;
    this.#socket?.destroy();
  }

  #write(messages: readonly Uint8Array[]): boolean {
    return this.#socket?.write(Buffer.concat(messages)) ?? false;
  }

  #receive(bytes: Uint8Array): void {
    const now = Date.now();
    if (this.#isEstablished) {
      this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - this.#heardAt);
    }
    this.#heardAt = now;
    this.#framer.push(bytes);
    for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next()) {
      const message = decodeMessage(frame, CONTEXT);
      switch (message.kind) {
        case 'open':
          this.#write([encodeMessage(KEEPALIVE)]);
          break;
        case 'keepalive':
          if (!this.#isEstablished) this.#begin(now);
          break;
        case 'update':
          for (const { prefix } of message.withdrawn) this.#told.delete(formatPrefix(prefix));
          for (const { prefix } of message.announced) {
            this.#told.add(formatPrefix(prefix));
            this.#heard += 1;
            this.#toldAt = now;
          }
          break;
        case 'notification':
          this.#ended = `notification ${message.code}.${message.subcode}`;
          break;
        case 'route-refresh':
          break;
        default:
          message satisfies never;
      }
    }
  }

  #begin(now: number): void {
    this.#isEstablished = true;
    this.#establishedAt = now;
    this.#longestSilenceMs = 0;
    const everyMs = (this.#holdTimeSeconds * 1000) / 3;
    this.#keepalives = setInterval(() => this.#write([encodeMessage(KEEPALIVE)]), everyMs);
    if (this.#routes.length > 0) this.announce(this.#routes, 1);
    this.#write([encodeMessage(endOfRib(4))]);
  }

  #end(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return;
    clearInterval(this.#keepalives);
    this.#socket = undefined;
    if (this.#isEstablished && this.#ended === '') this.#ended = reason;
    this.#isEstablished = false;
    this.#told.clear();
    this.#heard = 0;
    setTimeout(() => {
      if (this.#target !== undefined && this.#socket === undefined) this.dial(this.#target);
    }, RETRY_MS);
  }
}

function asNlri(prefix: Prefix): Nlri {
  return { prefix };
}
