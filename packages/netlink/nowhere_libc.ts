// A kernel that agrees to every request, and does nothing. Everybody is on its only link.
import type { Family } from '@calico/ip';
import type { Libc } from './libc.ts';
import { routeTemplate } from './route_template.ts';
import { AF, NLM_F, NLMSG, RTM } from './uapi.ts';

const HEADER_BYTES = 16;
/** struct nlmsgerr: an errno, and the header of the request. */
const ANSWER_BYTES = HEADER_BYTES + 4 + HEADER_BYTES;
const EAGAIN = 11;
const ENODEV = 19;
/** Of a message's type, what is to be done. Linux: net/core/rtnetlink.c */
const KINDS = 3;
const GET = 2;

const DONE = answer(NLMSG.ERROR, 0);
const NO_DEVICE = answer(NLMSG.ERROR, -ENODEV);
/** Of a list. */
const END = answer(NLMSG.DONE, 0);

/** What leads to everybody. */
const LINK_ROUTE = {
  type: 'unicast',
  table: 254,
  protocol: 2,
  scope: 'link',
  nextHops: [{ interfaceIndex: 1 }],
} as const;

/** Acknowledges what asks for it, and tells the way; every table is empty. Nobody else's sockets are there. */
export class NowhereLibc implements Libc {
  readonly #answers: Uint8Array[] = [];
  readonly #ways = { 4: wayOf(4), 6: wayOf(6) };

  socket = (): number => 1;
  bind = (): number => 0;
  connect = (): number => 0;
  listen = (): number => 0;
  setsockopt = (): number => 0;
  setsockoptBytes = (): number => 0;
  attachFilter = (): number => 0;
  close = (): number => 0;
  setns = (): number => 0;
  eventfd = (): number => 1;
  eventfdRead = (): number => 0;
  eventfdWrite = (): number => 0;
  recvFrom = (): number => -1;
  interfaceIndex = (): number => 0;
  poll = (): number => this.#answers.length;
  errno = (): number => EAGAIN;

  send(_fd: number, bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += (view.getUint32(at, true) + 3) & ~3) {
      const sequence = view.getUint32(at + 8, true);
      this.#answers.push(...this.#answersTo(view, at).map((each) => withSequence(each, sequence)));
    }
    return bytes.length;
  }

  #answersTo(view: DataView, at: number): readonly Uint8Array[] {
    const type = view.getUint16(at + 4, true);
    const flags = view.getUint16(at + 6, true);
    if ((flags & NLM_F.DUMP) === NLM_F.DUMP) return [END];
    if (type === RTM.GETROUTE) {
      return [this.#ways[view.getUint8(at + HEADER_BYTES) === AF.INET ? 4 : 6], DONE];
    }
    if ((type & KINDS) === GET) return [NO_DEVICE];
    return (flags & NLM_F.ACK) === 0 ? [] : [DONE];
  }

  sendAsync(
    fd: number,
    datagrams: readonly Uint8Array[],
    _flags: number,
    done: (sent: number) => void,
  ): void {
    queueMicrotask(() => {
      for (const bytes of datagrams) this.send(fd, bytes);
      done(datagrams.length);
    });
  }

  recv(_fd: number, buffer: Uint8Array): number {
    const bytes = this.#answers.shift();
    if (bytes === undefined) return -1;
    buffer.set(bytes);
    return bytes.length;
  }

  pollAsync(_fds: Uint8Array, _timeoutMs: number, done: (ready: number) => void): void {
    queueMicrotask(() => done(this.#answers.length));
  }
}

/** @param error an errno below 0, or 0 */
function answer(type: number, error: number): Uint8Array {
  const bytes = new Uint8Array(ANSWER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ANSWER_BYTES, true);
  view.setUint16(4, type, true);
  view.setInt32(HEADER_BYTES, error, true);
  return bytes;
}

function wayOf(family: Family): Uint8Array {
  return routeTemplate('add', family, { ...LINK_ROUTE, source: { family, value: 1n } }).bytes;
}

function withSequence(message: Uint8Array, sequence: number): Uint8Array {
  const bytes = message.slice();
  new DataView(bytes.buffer).setUint32(8, sequence, true);
  return bytes;
}
