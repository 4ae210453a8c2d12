// A rule as the kernel's expressions. Where a statement looks into a header, the kernel has to be asked first
// whether the packet has that header; libnftables writes the same and leaves it out of its listing again.

import { parsePrefix } from '@calico/ip';
import type { MessageWriter } from '@calico/netlink';
import { writeClassLookup } from './class_expressions.ts';
import { writeData, writeVerdict } from './element_messages.ts';
import {
  type Load,
  loadConnection,
  loadMeta,
  loadOf,
  type Needs,
  writeBitwise,
  writeExpression,
} from './field_loads.ts';
import { bitsOf, hostOrder, padded, valueBytes, valueInterval } from './key_bytes.ts';
import { writeTranslation } from './nat_expressions.ts';
import type { Field, RejectAnswer, Rule, Statement } from './ruleset.ts';
import { plainText } from './text.ts';
import { NFT_CMP, NFT_CT, NFT_META, NFT_REJECT } from './uapi.ts';

/** NFT_REG_1; concatenations count on in registers of four bytes. */
const REGISTER = 1;
const VERDICT_REGISTER = 0;
const FIRST_SMALL_REGISTER = 8;
const NFTA_CMP = { SREG: 1, OP: 2, DATA: 3 } as const;
const NFTA_RANGE = { SREG: 1, OP: 2, FROM: 3, TO: 4 } as const;
const NFTA_LOOKUP = { SET: 1, SREG: 2, DREG: 3, FLAGS: 5 } as const;
const NFTA_OBJREF = { SET_SREG: 3, SET_NAME: 4 } as const;
const NFTA_IMMEDIATE = { DREG: 1, DATA: 2 } as const;
const NFTA_META = { KEY: 2, SREG: 3 } as const;
const NFTA_REJECT = { TYPE: 1, CODE: 2 } as const;
const NFTA_LOG = { GROUP: 1, PREFIX: 2 } as const;
const NFT_LOOKUP_INVERTED = 1;
const REJECT_CODES: Readonly<Record<Exclude<RejectAnswer, 'tcp reset'>, number>> = {
  'port-unreachable': 1,
  'admin-prohibited': 3,
};

type Match = Extract<Statement, { kind: 'match' }>;

/** Writes the list of a rule's expressions into an attribute that is open. Throws RangeError, IpError. */
export function writeRule(writer: MessageWriter, { statements }: Rule): void {
  const rule = new RuleWriter(writer);
  for (const statement of statements) rule.statement(statement);
}

class RuleWriter {
  readonly #writer: MessageWriter;
  /** What the rule has asked of the packet already. */
  #network: number | undefined;
  #transport: number | undefined;

  constructor(writer: MessageWriter) {
    this.#writer = writer;
  }

  statement(statement: Statement): void {
    const writer = this.#writer;
    switch (statement.kind) {
      case 'match':
        return this.#match(statement);
      case 'verdict-map':
        this.#loadAll([statement.field]);
        return this.#lookup(statement.map, { isMap: true });
      case 'class-verdict-map':
        return writeClassLookup(writer, statement);
      case 'counter-map':
        this.#loadAll(statement.fields);
        return writeExpression(writer, 'objref', (into) => {
          into.attributeU32be(NFTA_OBJREF.SET_SREG, REGISTER);
          into.attributeString(NFTA_OBJREF.SET_NAME, statement.map);
        });
      case 'verdict':
        return writeExpression(writer, 'immediate', (into) => {
          into.attributeU32be(NFTA_IMMEDIATE.DREG, VERDICT_REGISTER);
          writeVerdict(into, NFTA_IMMEDIATE.DATA, statement.verdict);
        });
      case 'match-mark':
        loadMeta(writer, NFT_META.MARK, REGISTER);
        return this.#matchBits(statement.bits, statement.set);
      case 'match-connection-mark':
        loadConnection(writer, NFT_CT.MARK, REGISTER);
        return this.#matchBits(statement.bits, statement.set);
      case 'set-mark':
        loadMeta(writer, NFT_META.MARK, REGISTER);
        this.#bitwise(
          hostOrder(~statement.bits >>> 0),
          hostOrder(statement.set ? statement.bits : 0),
        );
        return writeExpression(writer, 'meta', (into) => {
          into.attributeU32be(NFTA_META.KEY, NFT_META.MARK);
          into.attributeU32be(NFTA_META.SREG, REGISTER);
        });
      case 'log':
        // As text.ts has it, so that both ways write the same.
        return writeExpression(writer, 'log', (into) => {
          if (statement.group !== undefined) into.attributeU16be(NFTA_LOG.GROUP, statement.group);
          into.attributeString(NFTA_LOG.PREFIX, plainText(statement.prefix.replaceAll('$', '_')));
        });
      case 'counter':
      case 'notrack':
        return writeExpression(writer, statement.kind);
      case 'masquerade':
      case 'snat':
        return writeTranslation(writer, statement);
      case 'reject':
        return this.#reject(statement.with);
      case 'unknown':
        throw new RangeError(`Cannot encode statement: ${statement.json} was not understood`);
      default:
        return statement satisfies never;
    }
  }

  #match({ fields, operator, value }: Match): void {
    const isNegated = operator === '!=';
    if (value.startsWith('@')) {
      this.#loadAll(fields);
      return this.#lookup(value.slice(1), { isNegated });
    }
    const [field, ...more] = fields;
    if (field === undefined || more.length > 0) {
      throw new RangeError(`Cannot encode match of ${fields.join(' . ')}: it needs a set`);
    }
    const load = loadOf(field);
    this.#require(load.needs);
    this.#compare(load, value, isNegated);
    if (!isNegated) this.#learn(field, value);
  }

  #compare(load: Load, text: string, isNegated: boolean): void {
    const operator = isNegated ? NFT_CMP.NEQ : NFT_CMP.EQ;
    if (load.isBits) return this.#compareBits(load, text, isNegated);
    if (load.type === 'ifname' && text.endsWith('*')) {
      const start = valueBytes('ifname', text.slice(0, -1)).subarray(0, text.length - 1);
      load.write(this.#writer, REGISTER, load.length);
      return this.#cmp(operator, start);
    }
    if (text.includes('/') && load.type !== undefined) return this.#prefix(load, text, operator);
    load.write(this.#writer, REGISTER, load.length);
    if (load.type !== undefined && load.type !== 'ifname' && text.includes('-')) {
      return this.#range(valueInterval(load.type, text), isNegated);
    }
    this.#cmp(operator, load.value(text));
  }

  #compareBits(load: Load, text: string, isNegated: boolean): void {
    load.write(this.#writer, REGISTER, load.length);
    const wanted = load.value(text);
    if (isNegated) {
      if (text.includes(',')) throw new RangeError(`Cannot encode "!= ${text}": one is accepted`);
      return this.#cmp(NFT_CMP.NEQ, wanted);
    }
    this.#bitwise(wanted, hostOrder(0));
    this.#cmp(NFT_CMP.NEQ, hostOrder(0));
  }

  // Whole bytes are compared alone, all else under a mask.
  #prefix(load: Load, text: string, operator: number): void {
    const prefix = parsePrefix(text);
    const { first } = valueInterval(load.type ?? 'ipv4_addr', text);
    const bytes = prefix.length / 8;
    if (Number.isInteger(bytes) && bytes > 0 && load.isPayload) {
      load.write(this.#writer, REGISTER, bytes);
      return this.#cmp(operator, first.subarray(0, bytes));
    }
    load.write(this.#writer, REGISTER, load.length);
    const mask = first.map((_, index) => 0xff00 >> bitsOf(prefix.length, index));
    this.#bitwise(mask, new Uint8Array(mask.length));
    this.#cmp(operator, first);
  }

  #range({ first, last }: ReturnType<typeof valueInterval>, isNegated: boolean): void {
    if (!isNegated) {
      this.#cmp(NFT_CMP.GTE, first);
      return this.#cmp(NFT_CMP.LTE, last);
    }
    writeExpression(this.#writer, 'range', (into) => {
      into.attributeU32be(NFTA_RANGE.SREG, REGISTER).attributeU32be(NFTA_RANGE.OP, NFT_CMP.NEQ);
      writeData(into, NFTA_RANGE.FROM, first);
      writeData(into, NFTA_RANGE.TO, last);
    });
  }

  #cmp(operator: number, value: Uint8Array): void {
    writeExpression(this.#writer, 'cmp', (into) => {
      into.attributeU32be(NFTA_CMP.SREG, REGISTER).attributeU32be(NFTA_CMP.OP, operator);
      writeData(into, NFTA_CMP.DATA, value);
    });
  }

  #bitwise(mask: Uint8Array, xor: Uint8Array): void {
    writeBitwise(this.#writer, REGISTER, mask, xor);
  }

  #matchBits(bits: number, isSet: boolean): void {
    this.#bitwise(hostOrder(bits >>> 0), hostOrder(0));
    this.#cmp(NFT_CMP.EQ, hostOrder(isSet ? bits >>> 0 : 0));
  }

  #lookup(set: string, { isMap = false, isNegated = false }): void {
    writeExpression(this.#writer, 'lookup', (into) => {
      into.attributeString(NFTA_LOOKUP.SET, set).attributeU32be(NFTA_LOOKUP.SREG, REGISTER);
      if (isMap) into.attributeU32be(NFTA_LOOKUP.DREG, VERDICT_REGISTER);
      if (isNegated) into.attributeU32be(NFTA_LOOKUP.FLAGS, NFT_LOOKUP_INVERTED);
    });
  }

  /** The fields side by side, each in a whole number of small registers. */
  #loadAll(fields: readonly Field[]): void {
    const all = fields.map(loadOf);
    for (const { needs } of all) this.#require(needs);
    let at = 0;
    for (const load of all) {
      // The first register of every four has a name of its own, which libnftables uses.
      const register = at % 4 === 0 ? REGISTER + at / 4 : FIRST_SMALL_REGISTER + at;
      load.write(this.#writer, register, load.length);
      at += padded(load.length) / 4;
    }
  }

  #require({ network, transport }: Needs): void {
    if (network !== undefined && network !== this.#network) {
      loadMeta(this.#writer, NFT_META.NFPROTO, REGISTER);
      this.#cmp(NFT_CMP.EQ, Uint8Array.of(network));
      this.#network = network;
    }
    if (transport !== undefined && transport !== this.#transport) {
      loadMeta(this.#writer, NFT_META.L4PROTO, REGISTER);
      this.#cmp(NFT_CMP.EQ, Uint8Array.of(transport));
      this.#transport = transport;
    }
  }

  #learn(field: Field, value: string): void {
    if (field === 'meta nfproto') this.#network = loadOf(field).value(value)[0];
    if (field === 'meta l4proto' && /^\d+$/.test(value)) this.#transport = Number(value);
  }

  #reject(answer: RejectAnswer): void {
    writeExpression(this.#writer, 'reject', (into) => {
      const isReset = answer === 'tcp reset';
      into.attributeU32be(
        NFTA_REJECT.TYPE,
        isReset ? NFT_REJECT.TCP_RST : NFT_REJECT.ICMPX_UNREACH,
      );
      into.attributeU8(NFTA_REJECT.CODE, isReset ? 0 : REJECT_CODES[answer]);
    });
  }
}
