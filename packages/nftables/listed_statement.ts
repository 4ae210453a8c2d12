// One expression of a listed rule, as a statement. Whatever is not recognised exactly becomes 'unknown', so that
// a foreign or damaged rule differs from every rule that is wanted.
import {
  elementText,
  isObject,
  type Json,
  type JsonObject,
  listOf,
  textOf,
  verdictOf,
} from './listed_value.ts';
import type { Field, RejectAnswer, Statement } from './ruleset.ts';

const CT_STATES: readonly (readonly [number, string])[] = [
  [1, 'invalid'],
  [2, 'established'],
  [4, 'related'],
  [8, 'new'],
  [64, 'untracked'],
];
/** NFT_REJECT_ICMPX_* of nf_tables.h. */
const REJECT_CODES: Readonly<Record<number, RejectAnswer>> = {
  1: 'port-unreachable',
  3: 'admin-prohibited',
};
/** nf_conntrack_common.h */
const IPS_DST_NAT = 32;
// RTN_* of rtnetlink.h
const ADDRESS_TYPES = ['unspec', 'unicast', 'local', 'broadcast', 'anycast', 'multicast'];
const ADDRESSES = /^ip6? [sd]addr$/u;
const NF_PROTOCOLS: Readonly<Record<number, string>> = { 2: 'ipv4', 10: 'ipv6' };

export function statementsOf(expressions: readonly Json[]): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < expressions.length; at++) {
    const classVerdict = classVerdictMapOf(expressions[at], expressions[at + 1]);
    if (classVerdict !== undefined) at += 1;
    statements.push(classVerdict ?? statementOf(expressions[at] ?? null));
  }
  return statements;
}

function statementOf(expression: Json): Statement {
  return recognise(expression) ?? { kind: 'unknown', json: JSON.stringify(expression) };
}

function recognise(expression: Json): Statement | undefined {
  if (!isObject(expression)) return undefined;
  const verdict = verdictOf(expression);
  if (verdict !== undefined) return { kind: 'verdict', verdict };
  const [[kind, value] = ['', null]] = Object.entries(expression);
  if (kind === 'match' && isObject(value)) return matchOf(value);
  if (kind === 'vmap') return verdictMapOf(value);
  if (kind === 'mangle' && isObject(value)) return setMarkOf(value);
  if (kind === 'log') return logOf(value);
  if (kind === 'counter') return counterOf(value);
  if (kind === 'notrack' && value === null) return { kind };
  if (kind === 'masquerade') return masqueradeOf(value);
  if (kind === 'snat' && isObject(value)) return snatOf(value);
  if (kind === 'reject' && isObject(value)) return rejectOf(value);
  return undefined;
}

function matchOf({ op, left, right }: JsonObject): Statement | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (isObject(left) && Array.isArray(left['&']) && markOf(left['&'][0]) !== undefined) {
    return matchMarkOf(op, left['&'], right);
  }
  const mark = markOf(left);
  if (mark !== undefined && isObject(right)) return matchUpperMarkOf(mark, op, right['prefix']);
  const fields = fieldsOf(left);
  const operator = op === 'in' ? '==' : op;
  if (fields === undefined || (operator !== '==' && operator !== '!=')) return undefined;
  return { kind: 'match', fields, operator, value: valueText(fields, right) };
}

function matchMarkOf(
  op: Json | undefined,
  operands: readonly Json[],
  right: Json,
): Statement | undefined {
  const [field, bits] = operands;
  const kind = markOf(field);
  if (op !== '==' || kind === undefined || typeof bits !== 'number') return undefined;
  if (right !== bits && right !== 0) return undefined;
  return { kind, bits, set: right === bits };
}

// A mask of upper bits without a gap is listed as a prefix, as if the mark were an address.
function matchUpperMarkOf(
  kind: 'match-mark' | 'match-connection-mark',
  op: Json | undefined,
  prefix: Json | undefined,
): Statement | undefined {
  if (op !== '==' || !isObject(prefix)) return undefined;
  const bits = (-1 << (32 - Number(prefix['len']))) >>> 0;
  if (prefix['addr'] !== bits && prefix['addr'] !== 0) return undefined;
  return { kind, bits, set: prefix['addr'] === bits };
}

function setMarkOf({ key, value }: JsonObject): Statement | undefined {
  if (markOf(key) !== 'match-mark' || !isObject(value)) return undefined;
  const [[operator, operands] = ['', null]] = Object.entries(value);
  if (!Array.isArray(operands)) return undefined;
  const [field, bits] = operands as Json[];
  if (markOf(field) !== 'match-mark' || typeof bits !== 'number') return undefined;
  if (operator === '|') return { kind: 'set-mark', bits, set: true };
  return operator === '&' ? { kind: 'set-mark', bits: ~bits >>> 0, set: false } : undefined;
}

/** The match that looks at this mark: the packet's or its connection's. */
function markOf(value: Json | undefined): 'match-mark' | 'match-connection-mark' | undefined {
  if (!isObject(value)) return undefined;
  const { meta, ct } = value;
  if (isObject(meta) && meta['key'] === 'mark') return 'match-mark';
  return isObject(ct) && ct['key'] === 'mark' ? 'match-connection-mark' : undefined;
}

function masqueradeOf(value: Json | undefined): Statement | undefined {
  if (value === null) return { kind: 'masquerade' };
  if (!isObject(value) || Object.keys(value).join() !== 'port') return undefined;
  return { kind: 'masquerade', ports: elementText(value['port'] ?? null) };
}

function snatOf({ family, addr, port, ...more }: JsonObject): Statement | undefined {
  const isKnown = (family === 'ip' || family === 'ip6') && Object.keys(more).length === 0;
  if (!isKnown || typeof addr !== 'string') return undefined;
  return port === undefined
    ? { kind: 'snat', address: addr }
    : { kind: 'snat', address: addr, ports: elementText(port) };
}

function rejectOf({ type, expr }: JsonObject): Statement | undefined {
  if (type === 'tcp reset') return { kind: 'reject', with: type };
  const answer = type === 'icmpx' ? REJECT_CODES[Number(expr)] : undefined;
  return answer === undefined ? undefined : { kind: 'reject', with: answer };
}

function verdictMapOf(value: Json | undefined): Statement | undefined {
  const { key, data } = isObject(value) ? value : {};
  const [field, ...more] = (key === undefined ? undefined : fieldsOf(key)) ?? [];
  const map = setNamed(data);
  if (field === undefined || more.length > 0 || map === undefined) return undefined;
  return { kind: 'verdict-map', field, map };
}

// As class_expressions.ts writes it: a comparison that names the class map, and a look-up whose key libnftables takes for a
// constant. It has no type for zero, and says so.
function classVerdictMapOf(
  first: Json | undefined,
  second: Json | undefined,
): Statement | undefined {
  if (!isObject(first) || !isObject(second)) return undefined;
  const { match } = first;
  const { vmap } = second;
  if (!isObject(match) || !isObject(match['left']) || !isObject(vmap)) return undefined;
  const isComparison = match['op'] === '!=' && isZero(match['right']) && isZero(vmap['key']);
  const asked = isComparison ? verdictMapOf(match['left']['map']) : undefined;
  const map = setNamed(vmap['data']);
  if (asked?.kind !== 'verdict-map' || map === undefined) return undefined;
  return { kind: 'class-verdict-map', field: asked.field, classes: asked.map, map };
}

function isZero(value: Json | undefined): boolean {
  return value === 0 || (typeof value === 'string' && /^0x0+( |$)/u.test(value));
}

function setNamed(data: Json | undefined): string | undefined {
  return typeof data === 'string' && data.startsWith('@') ? data.slice(1) : undefined;
}

function counterOf(value: Json | undefined): Statement | undefined {
  if (!isObject(value) || !isObject(value['map'])) return { kind: 'counter' };
  const { key, data } = value['map'];
  const fields = key === undefined ? undefined : fieldsOf(key);
  const map = setNamed(data);
  if (fields === undefined || map === undefined) return undefined;
  return { kind: 'counter-map', fields, map };
}

function logOf(value: Json | undefined): Statement | undefined {
  if (!isObject(value)) return undefined;
  const { prefix, group, ...others } = value;
  if (prefix === undefined || Object.keys(others).length > 0) return undefined;
  const text = textOf(prefix);
  return { kind: 'log', prefix: text, ...(group === undefined ? {} : { group: Number(group) }) };
}

function fieldsOf(left: Json): Field[] | undefined {
  const parts =
    isObject(left) && Array.isArray(left['concat']) ? (left['concat'] as Json[]) : [left];
  const fields = parts.map(fieldOf);
  return fields.includes(undefined) ? undefined : (fields as Field[]);
}

function fieldOf(left: Json): Field | undefined {
  if (!isObject(left)) return undefined;
  const { payload, meta, ct, fib } = left;
  if (Array.isArray(left['&'])) return maskedFieldOf(left['&']);
  if (isObject(payload) && payload['protocol'] !== undefined) {
    return `${textOf(payload['protocol'])} ${textOf(payload['field'])}` as Field;
  }
  if (isObject(meta)) {
    const key = textOf(meta['key']);
    return (key === 'iifname' || key === 'oifname' ? key : `meta ${key}`) as Field;
  }
  if (isObject(ct) && Object.keys(ct).length === 1) {
    return ct['key'] === 'state' || ct['key'] === 'status' ? `ct ${ct['key']}` : undefined;
  }
  if (isObject(fib) && Array.isArray(fib['flags'])) {
    return `fib ${listOf(fib['flags']).map(textOf).join(' . ')} ${textOf(fib['result'])}` as Field;
  }
  return undefined;
}

function maskedFieldOf([operand, mask]: readonly Json[]): Field | undefined {
  const field = operand === undefined ? undefined : fieldOf(operand);
  if (field === undefined || typeof mask !== 'string') return undefined;
  return ADDRESSES.test(field) ? (`${field} & ${mask}` as Field) : undefined;
}

function valueText(fields: readonly Field[], right: Json): string {
  const [field] = fields;
  if (field === 'ct state') return ctStates(right);
  if (field === 'ct status') return right === IPS_DST_NAT ? 'dnat' : elementText(right);
  if (field === 'meta nfproto') return NF_PROTOCOLS[Number(right)] ?? elementText(right);
  if (field?.startsWith('fib ')) return ADDRESS_TYPES[Number(right)] ?? elementText(right);
  return elementText(right);
}

/** In the order of their bits, whatever order they were listed in. */
function ctStates(right: Json): string {
  const bits = (Array.isArray(right) ? (right as Json[]) : [right]).map(Number);
  const names = CT_STATES.filter(([bit]) => bits.includes(bit)).map(([, name]) => name);
  return names.length === bits.length ? names.join(',') : elementText(JSON.stringify(right));
}
