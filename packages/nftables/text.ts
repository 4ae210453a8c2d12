// Commands in the language of nft(8): what libnftables runs, and what a person reads in a log.
import type {
  Chain,
  Command,
  ElementValue,
  Field,
  KeyType,
  Rule,
  SetOptions,
  Statement,
  Transaction,
  Verdict,
} from './ruleset.ts';

const FAMILY = 'inet';
const MAX_TEXT_BYTES = 127;
const NAME = /^[A-Za-z_.][A-Za-z0-9_./-]{0,254}$/;
const VALUE = /^[@A-Za-z0-9_.:,*/ -]+$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * One command per line. Throws RangeError for a name or value that nft could misread: what comes in from
 * outside has to be checked before it gets here.
 */
export function transactionText(table: string, transaction: Transaction): string {
  const target = `${FAMILY} ${name(table)}`;
  return transaction.map((command) => `${commandText(target, command)}\n`).join('');
}

function commandText(target: string, command: Command): string {
  switch (command.kind) {
    case 'add-table':
      return `add table ${target}`;
    case 'delete-table':
      return `delete table ${target}`;
    case 'add-chain':
      return `add chain ${target} ${name(command.name)} { ${chainOptions(command.chain)}}`;
    case 'flush-chain':
      return `flush chain ${target} ${name(command.name)}`;
    case 'delete-chain':
      return `delete chain ${target} ${name(command.name)}`;
    case 'add-rule':
      return `add rule ${target} ${name(command.chain)} ${ruleText(command.rule)}`;
    case 'add-set':
      return `add ${setNoun(command.set)} ${target} ${name(command.name)} { ${setOptions(command.set)} }`;
    case 'delete-set':
      return `delete set ${target} ${name(command.name)}`;
    case 'add-elements':
    case 'delete-elements': {
      const verb = command.kind === 'add-elements' ? 'add' : 'delete';
      const elements = command.elements.map(([element, data]) =>
        elementText(command.key, element, command.kind === 'add-elements' ? data : undefined),
      );
      return `${verb} element ${target} ${name(command.set)} { ${elements.join(', ')} }`;
    }
    case 'add-counter':
      return `add counter ${target} ${name(command.name)} { ${commentOption(command.comment)}}`;
    case 'delete-counter':
      return `delete counter ${target} ${name(command.name)}`;
    default:
      return command satisfies never;
  }
}

function chainOptions({ base, comment }: Omit<Chain, 'rules'>): string {
  const hook =
    base === undefined
      ? ''
      : `type ${base.type} hook ${base.hook} priority ${base.priority}; policy ${base.policy}; `;
  return hook + commentOption(comment);
}

function commentOption(comment: string | undefined): string {
  return comment ? `comment ${quoted(comment)}; ` : '';
}

function setNoun({ kind }: SetOptions): string {
  return kind === 'set' ? 'set' : 'map';
}

const DATA_TYPES = {
  set: '',
  'verdict-map': ' : verdict',
  'counter-map': ' : counter',
  'class-map': ' : mark . ifname',
} as const;

function setOptions({ kind, key, interval, comment }: SetOptions): string {
  const type = `type ${key.join(' . ')}${DATA_TYPES[kind]};`;
  const flags = interval ? ' flags interval;' : '';
  return `${type}${flags} ${commentOption(comment)}`.trimEnd();
}

function elementText(key: readonly KeyType[], element: string, data: ElementValue): string {
  const parts = key.length === 1 ? [element] : element.split(' . ');
  if (parts.length !== key.length) {
    throw new RangeError(`Cannot write element "${element}": the key has ${key.length} parts`);
  }
  const texts = parts.map((part, index) =>
    key[index] === 'ifname' ? `"${value(part)}"` : value(part),
  );
  return texts.join(' . ') + (data === undefined ? '' : ` : ${dataText(data)}`);
}

function dataText(data: NonNullable<ElementValue>): string {
  const [kind, named = ''] = data.split(' ');
  if (kind === 'class') return `1 . "${value(named)}"`;
  return kind === 'counter' ? `"${name(named)}"` : verdictText(data as Verdict);
}

/** A rule as nft lists it; equal texts are equal rules. Throws RangeError for one that nft would misread. */
export function ruleText({ statements, comment }: Rule): string {
  refuseMerging(statements);
  const texts = statements.map(statementText);
  return comment ? `${texts.join(' ')} comment ${quoted(comment)}` : texts.join(' ');
}

// nft 1.0.6 merges two matches on neighbouring fields of a transport header into one comparison, also negated
// ones: `udp sport != 1 udp dport != 2` then matches all but (1, 2), so also (1, 3), which it must not. And it
// lists merged matches in the order of the header. Look-ups in sets and ranges are never merged.
function refuseMerging(statements: readonly Statement[]): void {
  const merged = statements.filter(isMergeable);
  for (const [index, one] of merged.entries()) {
    for (const other of merged.slice(index + 1)) {
      const [a, b] = [one.fields[0]?.split(' ') ?? [], other.fields[0]?.split(' ') ?? []];
      if (a[0] !== b[0] || a[1] === b[1] || one.operator !== other.operator) continue;
      if (one.operator === '==' && SECOND.has(b[1] ?? '')) continue;
      const advice = one.operator === '==' ? 'the other order' : 'sets instead of single values';
      throw new RangeError(
        `Cannot write rule: "${one.fields[0]}" and "${other.fields[0]}" need ${advice}`,
      );
    }
  }
}

const SECOND = new Set(['dport', 'code']);

function isMergeable(statement: Statement): statement is Extract<Statement, { kind: 'match' }> {
  return (
    statement.kind === 'match' &&
    statement.fields.length === 1 &&
    /^(tcp|udp|sctp|udplite|th|icmp|icmpv6) /.test(statement.fields[0] ?? '') &&
    /^[0-9]+$/.test(statement.value)
  );
}

function statementText(statement: Statement): string {
  switch (statement.kind) {
    case 'match':
      return matchText(statement.fields, statement.operator, statement.value);
    case 'verdict-map':
      return `${statement.field} vmap @${name(statement.map)}`;
    case 'class-verdict-map':
      return `${statement.field} map @${name(statement.classes)} != 0x0 0x0 vmap @${name(statement.map)}`;
    case 'counter-map':
      return `counter name ${statement.fields.join(' . ')} map @${name(statement.map)}`;
    case 'verdict':
      return verdictText(statement.verdict);
    case 'match-mark':
    case 'match-connection-mark': {
      const bits = hex(statement.bits);
      const mark = statement.kind === 'match-mark' ? 'meta mark' : 'ct mark';
      return `${mark} & ${bits} == ${statement.set ? bits : hex(0)}`;
    }
    case 'set-mark':
      return `meta mark set meta mark ${statement.set ? '|' : '&'} ${hex(statement.set ? statement.bits : ~statement.bits)}`;
    case 'log':
      // nft would take what follows a dollar sign for a variable.
      return `log prefix ${quoted(statement.prefix.replaceAll('$', '_'))}${statement.group === undefined ? '' : ` group ${statement.group}`}`;
    case 'counter':
    case 'notrack':
      return statement.kind;
    case 'masquerade':
      return statement.ports ? `masquerade to :${value(statement.ports)}` : 'masquerade';
    case 'snat':
      return snatText(statement.address, statement.ports);
    case 'reject':
      return `reject with ${statement.with === 'tcp reset' ? 'tcp reset' : `icmpx ${value(statement.with)}`}`;
    case 'unknown':
      return `unknown ${statement.json}`;
    default:
      return statement satisfies never;
  }
}

function snatText(address: string, ports: string | undefined): string {
  const isIpv6 = address.includes(':');
  const text = value(address);
  const target = ports ? `${isIpv6 ? `[${text}]` : text}:${value(ports)}` : text;
  return `snat ${isIpv6 ? 'ip6' : 'ip'} to ${target}`;
}

function matchText(fields: readonly Field[], operator: '==' | '!=', text: string): string {
  const negation = operator === '!=' ? '!= ' : '';
  const isName = fields.length === 1 && (fields[0] === 'iifname' || fields[0] === 'oifname');
  const right = isName && !text.startsWith('@') ? `"${value(text)}"` : value(text);
  return `${fields.join(' . ')} ${negation}${right}`;
}

export function verdictText(verdict: Verdict): string {
  const [kind, target] = verdict.split(' ');
  return target === undefined ? verdict : `${kind} ${name(target)}`;
}

function hex(bits: number): string {
  return `0x${(bits >>> 0).toString(16).padStart(8, '0')}`;
}

function name(text: string): string {
  if (NAME.test(text)) return text;
  throw new RangeError(
    `Cannot write name "${text}": letters, digits, "_", ".", "/" and "-", at most 255, are accepted`,
  );
}

function value(text: string): string {
  if (VALUE.test(text)) return text;
  throw new RangeError(
    `Cannot write value "${text}": it holds a character that nft would interpret`,
  );
}

function quoted(text: string): string {
  return `"${plainText(text)}"`;
}

/** The comment or log prefix that nft will list: no quotes or control characters, at most 127 bytes. */
export function plainText(text: string): string {
  const clean = text.replaceAll('"', "'").replaceAll(/\p{Cc}/gu, ' ');
  const bytes = encoder.encode(clean);
  if (bytes.length <= MAX_TEXT_BYTES) return clean;
  // A character cut in two decodes to U+FFFD.
  return `${decoder.decode(bytes.subarray(0, MAX_TEXT_BYTES - 3)).replace(/\uFFFD$/u, '')}…`;
}
