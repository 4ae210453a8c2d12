// struct fib_rule_hdr. Linux: include/uapi/linux/fib_rules.h
import type { Family } from '@calico/ip';
import { NetlinkDecodeError } from './errors.ts';
import { AttributeCursor, afterHeader, type Body, familyOf } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import { maskedPrefix } from './route_codec.ts';
import type { Rule } from './types.ts';
import { AF, FIB_RULE_INVERT, FR_ACT_TO_TBL, FRA } from './uapi.ts';

const HEADER_BYTES = 12;
const ALL_BITS = 0xffffffff;

/** RTM_NEWRULE or RTM_DELRULE; undefined for other families. Table 0: the rule does not look one up. */
export function decodeRule(body: Body): Rule | undefined {
  const attributesAt = afterHeader(body, HEADER_BYTES, 'rule');
  const { view, start } = body;
  const family = familyOf(view.getUint8(start));
  if (family === undefined) return undefined;
  const found = decodeAttributes(new AttributeCursor(view, attributesAt, body.end), family);
  const source = prefixOf(family, found.source, view.getUint8(start + 2));
  const destination = prefixOf(family, found.destination, view.getUint8(start + 1));
  const hasMark = found.mark !== undefined && found.mask !== 0;
  return {
    family,
    priority: found.priority,
    table: found.table ?? view.getUint8(start + 4),
    ...(source && { source }),
    ...(destination && { destination }),
    ...(hasMark && { mark: { value: found.mark ?? 0, mask: found.mask ?? ALL_BITS } }),
    ...(found.inputInterface !== undefined && { inputInterface: found.inputInterface }),
    ...((view.getUint32(start + 8, true) & FIB_RULE_INVERT) !== 0 && { invert: true }),
  };
}

type Attributes = {
  priority: number;
  table: number | undefined;
  source: bigint;
  destination: bigint;
  mark: number | undefined;
  mask: number | undefined;
  inputInterface: string | undefined;
};

function decodeAttributes(attributes: AttributeCursor, family: Family): Attributes {
  const found: Attributes = {
    priority: 0,
    table: undefined,
    source: 0n,
    destination: 0n,
    mark: undefined,
    mask: undefined,
    inputInterface: undefined,
  };
  while (attributes.next()) {
    switch (attributes.type) {
      case FRA.PRIORITY:
        found.priority = attributes.u32();
        break;
      case FRA.TABLE:
        found.table = attributes.u32();
        break;
      case FRA.SRC:
        found.source = attributes.address(family).value;
        break;
      case FRA.DST:
        found.destination = attributes.address(family).value;
        break;
      case FRA.FWMARK:
        found.mark = attributes.u32();
        break;
      case FRA.FWMASK:
        found.mask = attributes.u32();
        break;
      case FRA.IIFNAME:
        found.inputInterface = attributes.string();
        break;
      default:
    }
  }
  // The kernel sends a mask of zero for rules without a mark.
  if (found.mark === undefined && found.mask !== undefined && found.mask !== 0) found.mark = 0;
  return found;
}

function prefixOf(family: Family, value: bigint, length: number): Rule['source'] {
  if (length > (family === 4 ? 32 : 128)) {
    throw new NetlinkDecodeError(`Cannot decode rule: prefix length ${length}`);
  }
  return length === 0 ? undefined : maskedPrefix(family, value, length);
}

/** struct fib_rule_hdr of a dump request. */
export function writeRuleFilter(writer: MessageWriter, family: Family): void {
  writer
    .u8(family === 4 ? AF.INET : AF.INET6)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(0)
    .u32(0);
}

/** The body of RTM_NEWRULE or RTM_DELRULE. */
export function writeRule(writer: MessageWriter, rule: Rule): void {
  writer.u8(rule.family === 4 ? AF.INET : AF.INET6);
  writer
    .u8(rule.destination?.length ?? 0)
    .u8(rule.source?.length ?? 0)
    .u8(0);
  writer
    .u8(rule.table > 255 ? 0 : rule.table)
    .u8(0)
    .u8(0);
  writer.u8(rule.table === 0 ? 0 : FR_ACT_TO_TBL).u32(rule.invert ? FIB_RULE_INVERT : 0);
  writer.attributeU32(FRA.PRIORITY, rule.priority);
  if (rule.table > 255) writer.attributeU32(FRA.TABLE, rule.table);
  if (rule.source) writer.attributeAddress(FRA.SRC, rule.source);
  if (rule.destination) writer.attributeAddress(FRA.DST, rule.destination);
  if (rule.mark) {
    writer.attributeU32(FRA.FWMARK, rule.mark.value).attributeU32(FRA.FWMASK, rule.mark.mask);
  }
  if (rule.inputInterface !== undefined) writer.attributeString(FRA.IIFNAME, rule.inputInterface);
}
