// Who else changes the table? The kernel multicasts every change, and after each transaction the number of the
// new generation. A commit of ours is exactly one generation, and its messages are in the receive queue before
// the commit returns: so what is found right after a commit, minus one, was somebody else.
import {
  AttributeCursor,
  type Libc,
  MessageCursor,
  NetlinkDecodeError,
  NetlinkSocket,
  SocketWatch,
} from '@calico/netlink';
import { NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES, NFPROTO, NFT_MSG } from './uapi.ts';

const NFNLGRP_NFTABLES = 7;
const NFGENMSG_BYTES = 4;
/** NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE. */
const NFTA_TABLE = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;
const RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024;

export type ForeignChange = {
  /** For a log: who changed the table, as far as is known. */
  readonly detail: string;
};

/** Watches one table of family inet in the network namespace that was current when this was made. */
export class ChangeWatch {
  readonly #table: string;
  readonly #socket: NetlinkSocket;
  readonly #watch: SocketWatch;
  readonly #report: (change: ForeignChange) => void;
  /** Transactions that touched the table and are not accounted for: who made them. */
  #pending: string[] = [];
  #isTouched = false;
  #isOverrun = false;
  #reports = 0;

  constructor(libc: Libc, table: string, report: (change: ForeignChange) => void) {
    this.#table = table;
    this.#report = report;
    this.#socket = new NetlinkSocket(libc, {
      protocol: NETLINK_NETFILTER,
      groups: 1 << (NFNLGRP_NFTABLES - 1),
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    });
    this.#watch = new SocketWatch({
      libc,
      socket: this.#socket,
      onReadable: () => {
        this.#settle(0, () => false);
        this.#watch.wait();
      },
    });
    this.#watch.wait();
  }

  /** Reports what others have changed up to now; answers how often that was since the start. */
  settle(): number {
    this.#settle(0, () => false);
    return this.#reports;
  }

  /**
   * As settle(), right after a transaction of ours. `wasAlone`: whether it is the only one since the last settle(); asked
   * only when events were lost, as those of a large transaction are.
   */
  settleOwn(wasAlone: () => boolean): number {
    this.#settle(1, wasAlone);
    return this.#reports;
  }

  close(): void {
    this.#watch.close();
  }

  #settle(own: number, wasAlone: () => boolean): void {
    if (this.#watch.isClosed) return;
    this.#drain();
    let foreign = this.#pending.length - own;
    let isOverrun = this.#isOverrun;
    const [who] = this.#pending;
    this.#pending = [];
    this.#isOverrun = false;
    if (isOverrun && wasAlone()) {
      [foreign, isOverrun] = [0, false];
      this.#isTouched = false;
    }
    if (foreign <= 0 && !isOverrun) return;
    this.#reports++;
    const detail = foreign > 0 ? `changed by ${who}` : 'events were lost: it may have been changed';
    this.#report({ detail });
  }

  #drain(): void {
    for (let received = this.#socket.receive(); received.kind !== 'empty'; ) {
      if (received.kind === 'overrun') this.#isOverrun = true;
      else this.#read(received.bytes);
      received = this.#socket.receive();
    }
  }

  #read(bytes: Uint8Array): void {
    try {
      const message = new MessageCursor(bytes);
      while (message.next()) this.#note(message);
    } catch (error) {
      if (!(error instanceof NetlinkDecodeError)) throw error;
      this.#isOverrun = true;
    }
  }

  #note(message: MessageCursor): void {
    if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES) return;
    const attributes = new AttributeCursor(
      message.view,
      message.start + NFGENMSG_BYTES,
      message.end,
    );
    if ((message.type & 0xff) === NFT_MSG.NEWGEN) this.#endTransaction(attributes);
    else if (message.view.getUint8(message.start) === NFPROTO.INET) {
      while (attributes.next()) {
        if (attributes.type === NFTA_TABLE && attributes.string() === this.#table) {
          this.#isTouched = true;
        }
      }
    }
  }

  #endTransaction(attributes: AttributeCursor): void {
    if (!this.#isTouched) return;
    this.#isTouched = false;
    let [pid, name] = [0, ''];
    while (attributes.next()) {
      if (attributes.type === NFTA_GEN_PROC_PID) pid = attributes.u32be();
      if (attributes.type === NFTA_GEN_PROC_NAME) name = attributes.string();
    }
    this.#pending.push(`process ${pid} (${name})`);
  }
}
