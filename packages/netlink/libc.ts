/** The few functions of libc that this package and those beside it stand on. A negative result means: see `errno()`. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  setsockopt(fd: number, level: number, option: number, value: number): number;
  /** For options that are a struct. */
  setsockoptBytes(fd: number, level: number, option: number, value: Uint8Array): number;
  /** @param program struct sock_filter each, 8 bytes */
  attachFilter(fd: number, program: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /**
   * sendmmsg(2) on a thread of the pool: one datagram after the other. `done` gets how many were sent, and
   * `errno()` is that call's inside. They must stay reachable and unchanged until then: nothing else keeps
   * them alive.
   */
  sendAsync(
    fd: number,
    datagrams: readonly Uint8Array[],
    flags: number,
    done: (sent: number) => void,
  ): void;
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  /** @param sender receives a struct sockaddr */
  recvFrom(fd: number, buffer: Uint8Array, flags: number, sender: Uint8Array): number;
  close(fd: number): number;
  /** Moves the calling thread into a namespace. */
  setns(fd: number, type: number): number;
  eventfd(initial: number, flags: number): number;
  /** Makes the descriptor unreadable again. */
  eventfdRead(fd: number): number;
  /** Makes the descriptor readable. */
  eventfdWrite(fd: number): number;
  /** 0: there is no such interface. */
  interfaceIndex(name: string): number;
  /** poll(2); answers the number of ready descriptors. @param fds struct pollfd each, 8 bytes */
  poll(fds: Uint8Array, timeoutMs: number): number;
  /**
   * poll(2) on a thread of the pool; `done` gets the number of ready descriptors. `fds` (struct pollfd
   * each, 8 bytes) must stay reachable until then: nothing else keeps it alive.
   */
  pollAsync(fds: Uint8Array, timeoutMs: number, done: (ready: number) => void): void;
  /** Of the last call. Not meaningful after `pollAsync`. */
  errno(): number;
}
