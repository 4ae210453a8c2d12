// The conversation with nf_tables: batches go out, answers wait in the receive queue when send(2) returns.
import {
  AttributeCursor,
  errnoName,
  type Libc,
  MessageCursor,
  MessageWriter,
  NetlinkError,
  NetlinkSocket,
} from '@calico/netlink';
import { writeBatch } from './batch.ts';
import { NftablesError } from './errors.ts';
import type { Command, Transaction } from './ruleset.ts';
import { transactionText } from './text.ts';
import {
  NETLINK_NETFILTER,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG,
  NFTA_GEN_ID,
  NLM_F,
  NLMSG_ERROR,
} from './uapi.ts';

/** A batch is one datagram: 100,000 intervals take some 10 MB. */
const SEND_BUFFER_BYTES = 512 * 1024 * 1024;
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const NFGENMSG_BYTES = 4;
/** Not an errno of libc: the kernel uses it inside. */
const ERESTART = 85;

/** Lives in the network namespace that was current when it was made. */
export class BatchSocket {
  readonly #socket: NetlinkSocket;
  readonly #writer = new MessageWriter(64 * 1024);

  constructor(libc: Libc) {
    this.#socket = new NetlinkSocket(libc, {
      protocol: NETLINK_NETFILTER,
      sendBufferBytes: SEND_BUFFER_BYTES,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    });
  }

  /** The number that the kernel raises with every change of any table of the namespace. */
  generation(): number {
    const writer = this.#writer.reset();
    writer.begin((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETGEN, NLM_F.REQUEST, 1);
    writer.u8(0).u8(0).u8(0).u8(0).end();
    this.#send();
    let generation: number | undefined;
    this.#receive((message) => {
      if ((message.type & 0xff) !== NFT_MSG.NEWGEN || message.type === NLMSG_ERROR) return;
      const start = message.start + NFGENMSG_BYTES;
      const attributes = new AttributeCursor(message.view, start, message.end);
      while (attributes.next()) {
        if (attributes.type === NFTA_GEN_ID) generation = attributes.u32be();
      }
    });
    if (generation === undefined) throw new NftablesError('Cannot read generation: no answer');
    return generation;
  }

  /**
   * One transaction, carried out when this returns. With `generation`: false when the kernel has another one by
   * now. Throws NftablesError; then nothing has changed, unless it says that the answer was lost.
   */
  commit(table: string, transaction: Transaction, generation?: number): boolean {
    const batch = writeBatch(this.#writer.reset(), table, transaction, generation);
    this.#send();
    let isAnswered = false;
    let failure: { readonly errno: number; readonly sequence: number } | undefined;
    const isOverrun = this.#receive((message) => {
      if (message.type !== NLMSG_ERROR) return;
      const errno = -message.view.getInt32(message.start, true);
      const { sequence } = message;
      if (errno !== 0) failure ??= { errno, sequence };
      isAnswered ||= sequence === batch.last;
    });
    if (failure?.errno === ERESTART) return false;
    if (failure !== undefined) {
      const what = describe(table, batch.commandOf(failure.sequence));
      throw new NftablesError(`Cannot ${what}: ${errnoName(failure.errno)}`);
    }
    if (isAnswered && !isOverrun) return true;
    throw new NftablesError('Cannot change table: the answer of the kernel was lost');
  }

  /**
   * What the kernel would refuse of a transaction, with its reason: it is asked for something impossible too, and
   * so carries out nothing. Throws NftablesError when it does not look at the commands at all.
   */
  refused(table: string, transaction: Transaction): ReadonlyMap<Command, string> {
    const impossible: Command = { kind: 'delete-chain', name: 'never/there' };
    const batch = writeBatch(this.#writer.reset(), table, [...transaction, impossible]);
    this.#send();
    const refused = new Map<Command, string>();
    this.#receive((message) => {
      if (message.type !== NLMSG_ERROR) return;
      const errno = -message.view.getInt32(message.start, true);
      if (errno === 0) return;
      const command = batch.commandOf(message.sequence);
      if (command === undefined) {
        throw new NftablesError(`Cannot ask nf_tables: ${errnoName(errno)}`);
      }
      if (!refused.has(command)) refused.set(command, errnoName(errno));
    });
    if (!refused.delete(impossible)) {
      throw new NftablesError('Cannot ask nf_tables: the answer of the kernel was lost');
    }
    return refused;
  }

  close(): void {
    this.#socket.close();
  }

  #send(): void {
    try {
      this.#socket.send(this.#writer.bytes);
    } catch (cause) {
      if (!(cause instanceof NetlinkError)) throw cause;
      const bytes = this.#writer.length;
      throw new NftablesError(`Cannot send ${bytes} bytes to nf_tables: ${cause.code}`, { cause });
    }
  }

  /** True when answers were lost. */
  #receive(read: (message: MessageCursor) => void): boolean {
    let isOverrun = false;
    for (let received = this.#socket.receive(); received.kind !== 'empty'; ) {
      if (received.kind === 'overrun') isOverrun = true;
      else {
        const message = new MessageCursor(received.bytes);
        while (message.next()) read(message);
      }
      received = this.#socket.receive();
    }
    return isOverrun;
  }
}

/** "add rule inet calico policy-in/global/web tcp dport 80 accept", shortened. */
function describe(table: string, command: Command | undefined): string {
  if (command === undefined) return `change table inet ${table}`;
  const text = transactionText(table, [command]).trim();
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
