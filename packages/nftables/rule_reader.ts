// Rules of a table as the kernel has them, without their meaning: where, which, and what they have counted.
import {
  AttributeCursor,
  Exchange,
  type MessageCursor,
  NetlinkSocket,
  systemLibc,
} from '@calico/netlink';
import {
  NETLINK_NETFILTER,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFTA_COUNTER,
  NFTA_EXPR,
  NFTA_LIST_ELEM,
  NFTA_OBJ,
  NFTA_RULE,
  UDATA,
} from './uapi.ts';

/** A named counter, which elements of maps lead to. */
export type ReadCounter = {
  readonly name: string;
  /** '' without one. */
  readonly comment: string;
  readonly counted: Counted;
};

export type ReadRule = {
  readonly chain: string;
  readonly handle: bigint;
  /** '' without one. */
  readonly comment: string;
  readonly counted: Counted | undefined;
};

export type Counted = { readonly packets: bigint; readonly bytes: bigint };

const decoder = new TextDecoder();

/** Of one table of family inet, in the network namespace that was current when this was made. */
export class RuleReader {
  readonly #table: string;
  readonly #socket = new NetlinkSocket(systemLibc(), { protocol: NETLINK_NETFILTER });
  readonly #exchange = new Exchange(this.#socket);

  constructor(table: string) {
    this.#table = table;
  }

  /** In the order of each chain; none when there is no table. Throws NetlinkError. */
  read(): ReadRule[] {
    const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETRULE;
    return this.#exchange.dump(
      `rules of table inet ${this.#table}`,
      type,
      // struct nfgenmsg: family, version, resource.
      (writer) => writer.u32(NFPROTO.INET).attributeString(NFTA_RULE.TABLE, this.#table),
      readRule,
    );
  }

  /** Named counters, in no order; none when there is no table. Throws NetlinkError. */
  readCounters(): ReadCounter[] {
    const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETOBJ;
    return this.#exchange.dump(
      `counters of table inet ${this.#table}`,
      type,
      (writer) => {
        writer.u32(NFPROTO.INET).attributeString(NFTA_OBJ.TABLE, this.#table);
        return writer.attributeU32be(NFTA_OBJ.TYPE, NFT_OBJECT_COUNTER);
      },
      readNamedCounter,
    );
  }

  close(): void {
    this.#socket.close();
  }
}

function readRule(message: MessageCursor): ReadRule {
  const attributes = new AttributeCursor(message.view, message.start + 4, message.end);
  let [chain, comment, handle] = ['', '', 0n];
  let counted: ReadRule['counted'];
  while (attributes.next()) {
    if (attributes.type === NFTA_RULE.CHAIN) chain = attributes.string();
    if (attributes.type === NFTA_RULE.HANDLE) handle = attributes.u64be();
    if (attributes.type === NFTA_RULE.EXPRESSIONS) counted = readExpressions(attributes.nested());
    if (attributes.type === NFTA_RULE.USERDATA) comment = readComment(attributes.bytes());
  }
  return { chain, handle, comment, counted };
}

function readNamedCounter(message: MessageCursor): ReadCounter {
  const attributes = new AttributeCursor(message.view, message.start + 4, message.end);
  let [name, comment] = ['', ''];
  let counted: Counted = { packets: 0n, bytes: 0n };
  while (attributes.next()) {
    if (attributes.type === NFTA_OBJ.NAME) name = attributes.string();
    if (attributes.type === NFTA_OBJ.DATA) counted = readCounter(attributes.nested());
    if (attributes.type === NFTA_OBJ.USERDATA) comment = readComment(attributes.bytes());
  }
  return { name, comment, counted };
}

function readExpressions(list: AttributeCursor): ReadRule['counted'] {
  while (list.next()) {
    if (list.type !== NFTA_LIST_ELEM) continue;
    const expression = list.nested();
    let name = '';
    while (expression.next()) {
      if (expression.type === NFTA_EXPR.NAME) name = expression.string();
      if (expression.type === NFTA_EXPR.DATA && name === 'counter') {
        return readCounter(expression.nested());
      }
    }
  }
  return undefined;
}

function readCounter(data: AttributeCursor): Counted {
  let [packets, bytes] = [0n, 0n];
  while (data.next()) {
    if (data.type === NFTA_COUNTER.PACKETS) packets = data.u64be();
    if (data.type === NFTA_COUNTER.BYTES) bytes = data.u64be();
  }
  return { packets, bytes };
}

/** Type, length, text with a zero. */
function readComment(data: Uint8Array): string {
  let at = 0;
  while (at + 2 <= data.length) {
    const [type, length = 0] = data.subarray(at, at + 2);
    const end = at + 2 + length;
    if (type === UDATA.RULE_COMMENT) {
      return decoder.decode(data.subarray(at + 2, Math.max(at + 2, end - 1)));
    }
    at = end;
  }
  return '';
}
