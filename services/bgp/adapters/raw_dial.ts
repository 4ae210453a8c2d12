// Dialling with options that the runtimes' sockets do not have before they are connected.
import { Socket } from 'node:net';
import { hostPrefix } from '@calico/ip';
import type { Connection, ConnectionHandler, DialTarget } from '../ports.ts';
import { RawTcpSocket, SocketError } from './tcp_socket.ts';

/** How often a socket under way is asked whether it is there: soon first, then more rarely. */
const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 50;

type Attach = (socket: Socket, handler: ConnectionHandler) => Connection;

/** A connection that becomes the runtime's once the kernel has made it. */
export class RawDial implements Connection {
  readonly #target: DialTarget;
  readonly #handler: ConnectionHandler;
  readonly #attach: Attach;
  readonly #reasonOf: (code: string) => string;
  #socket: RawTcpSocket | undefined;
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout;

  /** @param password of TCP MD5; undefined: none */
  constructor(
    target: DialTarget,
    password: string | undefined,
    handler: ConnectionHandler,
    attach: Attach,
    reasonOf: (code: string) => string,
  ) {
    this.#target = target;
    this.#handler = handler;
    this.#attach = attach;
    this.#reasonOf = reasonOf;
    this.#timer = setTimeout(() => this.#start(password), 0);
  }

  send(bytes: Uint8Array): boolean {
    return this.#connection?.send(bytes) ?? false;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
    this.#connection?.close();
  }

  #start(password: string | undefined): void {
    const { address, sourceAddress, socket } = this.#target;
    this.#orFail(() => {
      const raw = new RawTcpSocket(address.family);
      this.#socket = raw;
      raw.setTtl(socket);
      if (password !== undefined) raw.setPassword(hostPrefix(address), password);
      if (sourceAddress !== undefined) raw.bind(sourceAddress, 0);
      this.#look(FIRST_LOOK_MS);
    });
  }

  #look(delayMs: number): void {
    const { address, port, interface: onLink } = this.#target;
    const raw = this.#socket;
    if (raw === undefined) return;
    if (!raw.connect(address, port, onLink)) {
      const next = Math.min(LAST_LOOK_MS, 2 * delayMs);
      this.#timer = setTimeout(() => this.#orFail(() => this.#look(next)), delayMs);
      return;
    }
    this.#socket = undefined;
    this.#connection = this.#attach(new Socket({ fd: raw.fd }), this.#handler);
    this.#handler.opened();
  }

  #orFail(action: () => void): void {
    try {
      action();
    } catch (cause) {
      if (!(cause instanceof SocketError)) throw cause;
      this.close();
      this.#handler.closed(this.#reasonOf(cause.code));
    }
  }
}
