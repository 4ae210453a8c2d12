// What the packet filter does to one packet, rule by rule: nf_tables reports it for packets that a rule marks. The
// marking is done in a table of its own that the kernel removes with the socket that made it.
import {
  AttributeCursor,
  MessageCursor,
  NetlinkSocket,
  systemLibc,
  withNetns,
} from '@calico/netlink';
import { Libnftables } from './libnftables.ts';
import { RuleReader } from './rule_reader.ts';
import {
  NETLINK_NETFILTER,
  NFNL_SUBSYS_NFTABLES,
  NFNLGRP_NFTRACE,
  NFT_MSG,
  NFT_TRACETYPE,
  NFT_VERDICT,
  NFTA_TRACE,
  NFTA_VERDICT,
} from './uapi.ts';

export type TracedPacket = {
  readonly family: 4 | 6;
  /** Addresses in their usual form. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Undefined for protocols without ports. */
  readonly ports: { readonly source: number; readonly destination: number } | undefined;
};

export type TraceStep = {
  readonly table: string;
  readonly chain: string;
  /** Comment of the rule; '' for the end of a chain. */
  readonly rule: string;
  /** "accept", "drop", "continue", "return", "goto pods/from". */
  readonly verdict: string;
  /** Said with the first rule of each hook; '' otherwise. */
  readonly inputInterface: string;
  readonly outputInterface: string;
};

export interface PacketTrace {
  /** What has been reported since the last call: only of packets like the one that is traced. */
  steps(): TraceStep[];
  close(): Promise<void>;
}

export type PacketTraceOptions = {
  /** The table whose rules are named by their comments. */
  readonly table: string;
  readonly packet: TracedPacket;
  /** Name of an interface by its index; undefined: none. */
  readonly interfaceName: (index: number) => string | undefined;
  readonly netns?: string | undefined;
};

/** Throws NftablesError when the kernel does not take the marking rule, or NetlinkError. */
export async function openPacketTrace(options: PacketTraceOptions): Promise<PacketTrace> {
  const { netns } = options;
  const open = (): Trace => new Trace(options);
  const trace = netns === undefined ? open() : withNetns(netns, open);
  try {
    await trace.begin();
  } catch (cause) {
    await trace.close();
    throw cause;
  }
  return trace;
}

const FIRST = -400;
const NO_RULE = 'rule 0';
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

class Trace implements PacketTrace {
  readonly #options: PacketTraceOptions;
  readonly #library = new Libnftables();
  readonly #reader: RuleReader;
  readonly #socket = new NetlinkSocket(systemLibc(), {
    protocol: NETLINK_NETFILTER,
    groups: 1 << (NFNLGRP_NFTRACE - 1),
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
  });
  /** Two traces at once must not share a table. */
  readonly #table = `calico-trace-${process.pid}-${traces++}`;

  constructor(options: PacketTraceOptions) {
    this.#options = options;
    this.#reader = new RuleReader(options.table);
  }

  async begin(): Promise<void> {
    const own = `inet ${this.#table}`;
    const hooks = ['prerouting', 'output'].flatMap((hook) => [
      `add chain ${own} ${hook}-first { type filter hook ${hook} priority ${FIRST}; policy accept; }`,
      `add rule ${own} ${hook}-first ${matchText(this.#options.packet)} meta nftrace set 1`,
    ]);
    await this.#library.run([`add table ${own} { flags owner; }`, ...hooks].join('\n'));
  }

  steps(): TraceStep[] {
    const comments = new Map(
      this.#reader.read().map(({ handle, comment }) => [handle, comment] as const),
    );
    const steps: TraceStep[] = [];
    for (
      let found = this.#socket.receive();
      found.kind !== 'empty';
      found = this.#socket.receive()
    ) {
      if (found.kind !== 'datagram') continue;
      const messages = new MessageCursor(found.bytes);
      while (messages.next()) {
        if (messages.type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.TRACE)) continue;
        const step = this.#step(messages, comments);
        // Before the end of a base chain the kernel reports a rule that is none.
        const isNone = step.rule === NO_RULE && step.verdict === 'continue';
        if (step.table !== this.#table && !isNone) steps.push(step);
      }
    }
    return steps;
  }

  async close(): Promise<void> {
    this.#socket.close();
    this.#reader.close();
    await this.#library.close();
  }

  #step(message: MessageCursor, comments: ReadonlyMap<bigint, string>): TraceStep {
    const attributes = new AttributeCursor(message.view, message.start + 4, message.end);
    let [table, chain, verdict, kind] = ['', '', '', 0];
    let [inputInterface, outputInterface] = ['', ''];
    let handle = 0n;
    while (attributes.next()) {
      const { type } = attributes;
      if (type === NFTA_TRACE.TABLE) table = attributes.string();
      if (type === NFTA_TRACE.CHAIN) chain = attributes.string();
      if (type === NFTA_TRACE.RULE_HANDLE) handle = attributes.u64be();
      if (type === NFTA_TRACE.TYPE) kind = attributes.u32be();
      if (type === NFTA_TRACE.VERDICT) verdict = verdictOf(attributes.nested());
      if (type === NFTA_TRACE.POLICY) verdict = codeText(attributes.u32be());
      if (type === NFTA_TRACE.IIF) inputInterface = this.#name(attributes.u32be());
      if (type === NFTA_TRACE.OIF) outputInterface = this.#name(attributes.u32be());
    }
    const isOwn = table === this.#options.table && kind === NFT_TRACETYPE.RULE;
    const rule = isOwn ? (comments.get(handle) ?? `rule ${handle}`) : '';
    return { table, chain, rule, verdict, inputInterface, outputInterface };
  }

  #name(index: number): string {
    return this.#options.interfaceName(index) ?? String(index);
  }
}

let traces = 0;

function verdictOf(verdict: AttributeCursor): string {
  let [code, chain] = ['', ''];
  while (verdict.next()) {
    if (verdict.type === NFTA_VERDICT.CODE) code = codeText(verdict.u32be());
    if (verdict.type === NFTA_VERDICT.CHAIN) chain = verdict.string();
  }
  return chain === '' ? code : `${code} ${chain}`;
}

function codeText(code: number): string {
  return NFT_VERDICT[code | 0] ?? `verdict ${code | 0}`;
}

function matchText({ family, source, destination, protocol, ports }: TracedPacket): string {
  const header = family === 4 ? 'ip' : 'ip6';
  const addresses = `${header} saddr ${source} ${header} daddr ${destination}`;
  const match = `${addresses} meta l4proto ${protocol}`;
  if (ports === undefined) return match;
  return `${match} th sport ${ports.source} th dport ${ports.destination}`;
}
