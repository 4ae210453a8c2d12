import { errnoName, type Libc, MessageCursor, MessageWriter, NetlinkSocket } from '@calico/netlink';
import { writeElements } from './element_messages.ts';
import { NftablesError } from './errors.ts';
import type { Transaction } from './ruleset.ts';

const NETLINK_NETFILTER = 12;
const NLMSG_ERROR = 2;
const BUFFER_BYTES = 8 * 1024 * 1024;

/** Commits changes of elements; lives in the network namespace that was current when it was made. */
export class ElementSocket {
  readonly #socket: NetlinkSocket;
  readonly #writer = new MessageWriter(64 * 1024);

  constructor(libc: Libc) {
    this.#socket = new NetlinkSocket(libc, {
      protocol: NETLINK_NETFILTER,
      sendBufferBytes: BUFFER_BYTES,
      receiveBufferBytes: BUFFER_BYTES,
    });
  }

  /** One transaction, carried out when this returns. Throws NftablesError; then nothing has changed. */
  commit(table: string, transaction: Parameters<typeof writeElements>[2] & Transaction): void {
    const writer = this.#writer.reset();
    const last = writeElements(writer, table, transaction);
    this.#socket.send(writer.bytes);
    let isAnswered = false;
    let failure: string | undefined;
    for (let received = this.#socket.receive(); received.kind !== 'empty'; ) {
      if (received.kind === 'datagram') {
        const message = new MessageCursor(received.bytes);
        while (message.next()) {
          if (message.type !== NLMSG_ERROR) continue;
          const errno = -message.view.getInt32(message.start, true);
          if (errno !== 0) failure ??= errnoName(errno);
          isAnswered ||= message.sequence === last;
        }
      }
      received = this.#socket.receive();
    }
    failure ??= isAnswered ? undefined : 'there was no answer';
    if (failure !== undefined) throw new NftablesError(`Cannot change elements: ${failure}`);
  }

  close(): void {
    this.#socket.close();
  }
}
