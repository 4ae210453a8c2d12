// A transaction as one batch of nf_tables messages. libnftables would read the whole ruleset of the namespace into
// its cache before every command, while the kernel needs microseconds for most.
import type { MessageWriter } from '@calico/netlink';
import { type BeginMessage, writeElements } from './element_messages.ts';
import { hostOrder, keyLength, padded } from './key_bytes.ts';
import { writeRule } from './rule_expressions.ts';
import type {
  BaseChain,
  Chain,
  Command,
  KeyType,
  Rule,
  SetOptions,
  Transaction,
} from './ruleset.ts';
import { plainText } from './text.ts';
import {
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  NFT_DATA_VERDICT,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFT_SET,
  NFTA_CHAIN,
  NFTA_HOOK,
  NFTA_LIST_ELEM,
  NFTA_OBJ,
  NFTA_RULE,
  NFTA_SET,
  NFTA_SET_DESC_CONCAT,
  NFTA_SET_FIELD_LEN,
  NFTA_TABLE,
  NLM_F,
  UDATA,
} from './uapi.ts';

/** The table is an attribute of every kind of message but that of the table itself, and always number 1. */
const NFTA_OF_TABLE = 1;
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const;
/** enum nft_registers and datatype.h of nftables. */
const TYPE_IDS: Readonly<Record<KeyType, number>> = {
  ipv4_addr: 7,
  ipv6_addr: 8,
  inet_proto: 12,
  inet_service: 13,
  mark: 19,
  ifname: 41,
};
/** Byte orders as libnftables keeps them: 1 is the host's, 2 the network's. */
const BYTE_ORDERS: Readonly<Record<KeyType, number>> = {
  ipv4_addr: 2,
  ipv6_addr: 2,
  inet_proto: 0,
  inet_service: 2,
  mark: 1,
  ifname: 1,
};
/** What libnftables keeps with the key of every concatenation: an expression of kind 13 without data. */
const CONCATENATION = Uint8Array.of(0, 4, ...hostOrder(13), 1, 0);
const encoder = new TextEncoder();

export type Batch = {
  /** Sequence number of the last command's last message: the answer to it is the answer to all. */
  readonly last: number;
  /** What message `sequence` asked for. */
  readonly commandOf: (sequence: number) => Command | undefined;
};

/**
 * Writes the batch. `generation`: the kernel refuses it (ERESTART) when the rulesets of the namespace are not of
 * this generation any more. Throws RangeError or IpError for what cannot be encoded. `transaction` has to ask for
 * something: the kernel says nothing to a batch without commands.
 */
export function writeBatch(
  writer: MessageWriter,
  table: string,
  transaction: Transaction,
  generation?: number,
): Batch {
  return new BatchWriter(writer, table).write(transaction, generation);
}

class BatchWriter {
  readonly #writer: MessageWriter;
  readonly #table: string;
  /** The number of the first message of each command. */
  readonly #firsts: number[] = [];
  #sequence = 0;
  #sets = 0;

  constructor(writer: MessageWriter, table: string) {
    this.#writer = writer;
    this.#table = table;
  }

  write(transaction: Transaction, generation: number | undefined): Batch {
    this.#mark(NFNL_MSG_BATCH_BEGIN);
    if (generation !== undefined) this.#writer.attributeU32be(NFNL_BATCH_GENID, generation);
    this.#writer.end();
    for (const command of transaction) {
      this.#firsts.push(this.#sequence + 1);
      this.#command(command);
    }
    // Not from the end of the batch, which kernels before 6.10 never acknowledge.
    this.#writer.addFlags(NLM_F.ACK);
    const last = this.#sequence;
    this.#mark(NFNL_MSG_BATCH_END).end();
    const firsts = this.#firsts;
    return {
      last,
      commandOf: (sequence) => transaction[firsts.findLastIndex((first) => first <= sequence)],
    };
  }

  #mark(type: number): MessageWriter {
    // struct nfgenmsg: family, version, the subsystem in network order.
    this.#writer.begin(type, NLM_F.REQUEST, ++this.#sequence);
    return this.#writer.u8(0).u8(0).u8(0).u8(NFNL_SUBSYS_NFTABLES);
  }

  readonly #begin: BeginMessage = (type, flags) => {
    const writer = this.#writer;
    writer.begin((NFNL_SUBSYS_NFTABLES << 8) | type, NLM_F.REQUEST | flags, ++this.#sequence);
    writer.u8(NFPROTO.INET).u8(0).u8(0).u8(0);
    return writer.attributeString(NFTA_OF_TABLE, this.#table);
  };

  #command(command: Command): void {
    switch (command.kind) {
      case 'add-table':
        this.#begin(NFT_MSG.NEWTABLE, NLM_F.CREATE).attributeU32be(NFTA_TABLE.FLAGS, 0).end();
        return;
      case 'delete-table':
        this.#begin(NFT_MSG.DELTABLE, 0).end();
        return;
      case 'add-chain':
        return this.#addChain(command.name, command.chain);
      case 'delete-chain':
        this.#begin(NFT_MSG.DELCHAIN, 0).attributeString(NFTA_CHAIN.NAME, command.name).end();
        return;
      case 'flush-chain':
        this.#begin(NFT_MSG.DELRULE, 0).attributeString(NFTA_RULE.CHAIN, command.name).end();
        return;
      case 'add-rule':
        return this.#addRule(command.chain, command.rule);
      case 'add-set':
        return this.#addSet(command.name, command.set);
      case 'delete-set':
        this.#begin(NFT_MSG.DELSET, 0).attributeString(NFTA_SET.NAME, command.name).end();
        return;
      case 'add-elements':
      case 'delete-elements':
        return writeElements(this.#begin, command);
      case 'add-counter':
        return this.#addCounter(command.name, command.comment);
      case 'delete-counter':
        this.#beginCounter(NFT_MSG.DELOBJ, 0, command.name).end();
        return;
      default:
        return command satisfies never;
    }
  }

  #addChain(name: string, { base, comment }: Omit<Chain, 'rules'>): void {
    const writer = this.#begin(NFT_MSG.NEWCHAIN, NLM_F.CREATE);
    writer.attributeString(NFTA_CHAIN.NAME, name);
    if (base) writeBase(writer, base);
    if (comment)
      writer.attributeBytes(NFTA_CHAIN.USERDATA, textEntry(UDATA.CHAIN_COMMENT, comment));
    writer.end();
  }

  #addRule(chain: string, rule: Rule): void {
    const writer = this.#begin(NFT_MSG.NEWRULE, NLM_F.CREATE | NLM_F.APPEND);
    writer.attributeString(NFTA_RULE.CHAIN, chain);
    const list = writer.beginNested(NFTA_RULE.EXPRESSIONS, true);
    writeRule(writer, rule);
    writer.endNested(list);
    const { comment } = rule;
    if (comment) writer.attributeBytes(NFTA_RULE.USERDATA, textEntry(UDATA.RULE_COMMENT, comment));
    writer.end();
  }

  #beginCounter(type: number, flags: number, name: string): MessageWriter {
    const writer = this.#begin(type, flags).attributeString(NFTA_OBJ.NAME, name);
    return writer.attributeU32be(NFTA_OBJ.TYPE, NFT_OBJECT_COUNTER);
  }

  #addCounter(name: string, comment: string): void {
    const writer = this.#beginCounter(NFT_MSG.NEWOBJ, NLM_F.CREATE, name);
    // Without values in it: it begins at zero.
    writer.endNested(writer.beginNested(NFTA_OBJ.DATA, true));
    writer.attributeBytes(NFTA_OBJ.USERDATA, textEntry(UDATA.OBJECT_COMMENT, comment)).end();
  }

  #addSet(name: string, set: SetOptions): void {
    const { kind, key, interval } = set;
    const isConcatenation = key.length > 1;
    const writer = this.#begin(NFT_MSG.NEWSET, NLM_F.CREATE);
    writer.attributeString(NFTA_SET.NAME, name).attributeU32be(NFTA_SET.FLAGS, flagsOf(set));
    const type = key.reduce((id, part) => (id << 6) | TYPE_IDS[part], 0);
    const lengths = key.map(keyLength);
    const length = isConcatenation
      ? lengths.reduce((sum, one) => sum + padded(one), 0)
      : (lengths[0] ?? 0);
    writer.attributeU32be(NFTA_SET.KEY_TYPE, type).attributeU32be(NFTA_SET.KEY_LEN, length);
    if (kind === 'verdict-map') {
      writer.attributeU32be(NFTA_SET.DATA_TYPE, NFT_DATA_VERDICT);
      writer.attributeU32be(NFTA_SET.DATA_LEN, 0);
    }
    if (kind === 'class-map') {
      writer.attributeU32be(NFTA_SET.DATA_TYPE, (TYPE_IDS.mark << 6) | TYPE_IDS.ifname);
      writer.attributeU32be(NFTA_SET.DATA_LEN, keyLength('mark') + keyLength('ifname'));
    }
    if (kind === 'counter-map') writer.attributeU32be(NFTA_SET.OBJECT_TYPE, NFT_OBJECT_COUNTER);
    writer.attributeU32be(NFTA_SET.ID, ++this.#sets);
    if (interval && isConcatenation) writeFieldLengths(writer, lengths);
    writer.attributeBytes(NFTA_SET.USERDATA, setUserData(set)).end();
  }
}

function writeBase(writer: MessageWriter, { type, hook, priority, policy }: BaseChain): void {
  writer.attributeString(NFTA_CHAIN.TYPE, type);
  writer.attributeU32be(NFTA_CHAIN.POLICY, policy === 'accept' ? 1 : 0);
  const nested = writer.beginNested(NFTA_CHAIN.HOOK, true);
  writer.attributeU32be(NFTA_HOOK.HOOKNUM, HOOKS.indexOf(hook));
  writer.attributeU32be(NFTA_HOOK.PRIORITY, priority >>> 0).endNested(nested);
}

function flagsOf({ kind, key, interval }: SetOptions): number {
  const isConcatenation = interval && key.length > 1;
  return (
    (interval ? NFT_SET.INTERVAL : 0) |
    (isConcatenation ? NFT_SET.CONCAT : 0) |
    (kind === 'verdict-map' || kind === 'class-map' ? NFT_SET.MAP : 0) |
    (kind === 'counter-map' ? NFT_SET.OBJECT : 0)
  );
}

function writeFieldLengths(writer: MessageWriter, lengths: readonly number[]): void {
  const description = writer.beginNested(NFTA_SET.DESC, true);
  const fields = writer.beginNested(NFTA_SET_DESC_CONCAT, true);
  for (const length of lengths) {
    const field = writer.beginNested(NFTA_LIST_ELEM, true);
    writer.attributeU32be(NFTA_SET_FIELD_LEN, length).endNested(field);
  }
  writer.endNested(fields).endNested(description);
}

function setUserData({ kind, key, comment }: SetOptions): Uint8Array {
  const [only] = key;
  const isConcatenation = key.length > 1;
  const order = isConcatenation || only === undefined ? 0 : BYTE_ORDERS[only];
  const isMap = kind === 'verdict-map' || kind === 'class-map';
  return Uint8Array.from([
    ...entry(UDATA.SET_KEY_BYTE_ORDER, hostOrder(order)),
    ...(isMap ? entry(UDATA.SET_DATA_BYTE_ORDER, hostOrder(0)) : []),
    ...(isConcatenation ? entry(UDATA.SET_KEY_TYPEOF, CONCATENATION) : []),
    ...(kind === 'class-map' ? entry(UDATA.SET_DATA_TYPEOF, CONCATENATION) : []),
    ...(isMap ? entry(UDATA.SET_DATA_INTERVAL, hostOrder(0)) : []),
    ...(comment ? textEntry(UDATA.SET_COMMENT, comment) : []),
  ]);
}

function entry(type: number, value: Uint8Array): number[] {
  return [type, value.length, ...value];
}

function textEntry(type: number, text: string): Uint8Array {
  const bytes = encoder.encode(`${plainText(text)}\0`);
  return Uint8Array.from(entry(type, bytes));
}
