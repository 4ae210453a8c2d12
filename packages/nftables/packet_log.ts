// Packets that log rules give to an NFLOG group: linux/netfilter/nfnetlink_log.h. Nothing waits: what has come since
// the last look is read, and what did not fit meanwhile is gone.
import {
  AttributeCursor,
  Exchange,
  MessageCursor,
  type MessageWriter,
  NetlinkSocket,
  systemLibc,
  withNetns,
} from '@calico/netlink';
import { NETLINK_NETFILTER } from './uapi.ts';

export type LoggedPacket = {
  /** Of the rule. */
  readonly prefix: string;
  /** The beginning of the packet, from its IP header on. */
  readonly bytes: Uint8Array;
};

export interface PacketLog {
  /** What has been logged since the last call, and whether there was more than could be kept. */
  read(): { readonly packets: readonly LoggedPacket[]; readonly isOverrun: boolean };
  close(): void;
}

const NFNL_SUBSYS_ULOG = 4;
const NFULNL_MSG = { PACKET: 0, CONFIG: 1 } as const;
const NFULA_CFG = { CMD: 1, MODE: 2 } as const;
const NFULNL_CFG_CMD_BIND = 1;
const NFULNL_COPY_PACKET = 2;
const NFULA = { PAYLOAD: 9, PREFIX: 10 } as const;
/** Headers of IPv6 and TCP. */
const COPIED_BYTES = 64;
const RECEIVE_BUFFER_BYTES = 256 * 1024;

/** `netns`: path of a network namespace; undefined: the one this process is in. Throws NetlinkError. */
export function openPacketLog(options: {
  readonly group: number;
  readonly netns?: string | undefined;
}): PacketLog {
  const { group, netns } = options;
  const open = (): PacketLog => new GroupReader(group);
  return netns === undefined ? open() : withNetns(netns, open);
}

class GroupReader implements PacketLog {
  readonly #socket = new NetlinkSocket(systemLibc(), {
    protocol: NETLINK_NETFILTER,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  });

  constructor(group: number) {
    const mode = Uint8Array.of(0, 0, 0, COPIED_BYTES, NFULNL_COPY_PACKET, 0);
    this.#configure(group, (writer) => writer.attributeU8(NFULA_CFG.CMD, NFULNL_CFG_CMD_BIND));
    this.#configure(group, (writer) => writer.attributeBytes(NFULA_CFG.MODE, mode));
  }

  read(): { readonly packets: readonly LoggedPacket[]; readonly isOverrun: boolean } {
    const packets: LoggedPacket[] = [];
    let isOverrun = false;
    for (let got = this.#socket.receive(); got.kind !== 'empty'; got = this.#socket.receive()) {
      if (got.kind === 'overrun') isOverrun = true;
      else packets.push(...packetsIn(got.bytes));
    }
    return { packets, isOverrun };
  }

  close(): void {
    this.#socket.close();
  }

  #configure(group: number, write: (writer: MessageWriter) => void): void {
    new Exchange(this.#socket).get(
      `packets logged to group ${group}`,
      (NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG.CONFIG,
      (writer) => {
        // struct nfgenmsg: any family, version 0, the group in network order.
        writer
          .u8(0)
          .u8(0)
          .u8(group >>> 8)
          .u8(group & 0xff);
        write(writer);
      },
      () => undefined,
    );
  }
}

function* packetsIn(bytes: Uint8Array): Iterable<LoggedPacket> {
  const messages = new MessageCursor(bytes);
  while (messages.next()) {
    if (messages.type !== ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG.PACKET)) continue;
    const attributes = new AttributeCursor(messages.view, messages.start + 4, messages.end);
    let prefix = '';
    let payload = new Uint8Array();
    while (attributes.next()) {
      if (attributes.type === NFULA.PREFIX) prefix = attributes.string();
      if (attributes.type === NFULA.PAYLOAD) payload = new Uint8Array(attributes.bytes());
    }
    yield { prefix, bytes: payload };
  }
}
