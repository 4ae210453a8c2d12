/** The few functions of libc that this package stands on. A negative result means: see `errno()`. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  connect(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  setsockopt(fd: number, level: number, option: number, value: number): number;
  /** For options that are a struct. */
  setsockoptBytes(fd: number, level: number, option: number, value: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  close(fd: number): number;
  /** Moves the calling thread into a namespace. */
  setns(fd: number, type: number): number;
  eventfd(initial: number, flags: number): number;
  /** Makes the descriptor readable. */
  eventfdWrite(fd: number): number;
  /** 0: there is no such interface. */
  interfaceIndex(name: string): number;
  /**
   * poll(2) on a thread of the pool; `done` gets the number of ready descriptors. `fds` (struct pollfd
   * each, 8 bytes) must stay reachable until then: nothing else keeps it alive.
   */
  pollAsync(fds: Uint8Array, timeoutMs: number, done: (ready: number) => void): void;
  /** Of the last call. Not meaningful after `pollAsync`. */
  errno(): number;
}
