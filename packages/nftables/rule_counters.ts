// Counters of a table's rules, straight from the kernel: a listing by libnftables would read every set as well.
import {
  AttributeCursor,
  Exchange,
  type MessageCursor,
  NetlinkSocket,
  systemLibc,
  withNetns,
} from '@calico/netlink';
import {
  NETLINK_NETFILTER,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  NFT_MSG,
  NFTA_COUNTER,
  NFTA_EXPR,
  NFTA_LIST_ELEM,
  NFTA_RULE,
  UDATA,
} from './uapi.ts';

/** A rule that counts. */
export type RuleCounter = {
  readonly chain: string;
  /** '' without one. */
  readonly comment: string;
  readonly packets: bigint;
  readonly bytes: bigint;
};

/** Of one table of family inet. */
export interface RuleCounters {
  /** In the order of each chain; none when there is no table. Throws NetlinkError. */
  read(): RuleCounter[];
  close(): void;
}

/** `netns`: path of a network namespace; undefined: the one this process is in. Throws NetlinkError. */
export function openRuleCounters(options: {
  readonly table: string;
  readonly netns?: string | undefined;
}): RuleCounters {
  const { table, netns } = options;
  const open = (): RuleCounters => new CounterReader(table);
  return netns === undefined ? open() : withNetns(netns, open);
}

const decoder = new TextDecoder();

class CounterReader implements RuleCounters {
  readonly #table: string;
  readonly #socket = new NetlinkSocket(systemLibc(), { protocol: NETLINK_NETFILTER });
  readonly #exchange = new Exchange(this.#socket);

  constructor(table: string) {
    this.#table = table;
  }

  read(): RuleCounter[] {
    const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETRULE;
    return this.#exchange.dump(
      `rules of table inet ${this.#table}`,
      type,
      // struct nfgenmsg: family, version, resource.
      (writer) => writer.u32(NFPROTO.INET).attributeString(NFTA_RULE.TABLE, this.#table),
      readRule,
    );
  }

  close(): void {
    this.#socket.close();
  }
}

/** Undefined for a rule that does not count. */
function readRule(message: MessageCursor): RuleCounter | undefined {
  const attributes = new AttributeCursor(message.view, message.start + 4, message.end);
  let [chain, comment] = ['', ''];
  let count: Count | undefined;
  while (attributes.next()) {
    if (attributes.type === NFTA_RULE.CHAIN) chain = attributes.string();
    if (attributes.type === NFTA_RULE.EXPRESSIONS) count = readExpressions(attributes.nested());
    if (attributes.type === NFTA_RULE.USERDATA) comment = readComment(attributes.bytes());
  }
  return count && { chain, comment, ...count };
}

type Count = { readonly packets: bigint; readonly bytes: bigint };

function readExpressions(list: AttributeCursor): Count | undefined {
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

function readCounter(data: AttributeCursor): Count {
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
