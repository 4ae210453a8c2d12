// Why a connection is allowed or not: the verdict first, then every node with all that was consulted.
import type {
  DirectionExplanation,
  ExplainResponse,
  FieldMismatch,
  NearestRule,
  PolicyExplanation,
  RuleExplanation,
  TierExplanation,
  TraceResponse,
} from '@calico/proto/felix/v1/policy';
import type { ConnectionEnd, WhyResponse } from '@calico/proto/status/v1/policy';
import { formatColumns } from './columns.ts';

export type ShownDirection = 'both' | 'egress' | 'ingress';

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMPv6',
  132: 'SCTP',
  136: 'UDPLite',
};
/** Rules without a match that are shown of one policy. */
const MOST_RULES = 10;

export function formatWhy(answer: WhyResponse, shown: ShownDirection): string {
  const { from, to, nodes, allowed } = answer;
  const verdict = nodes.length === 0 ? 'not known' : verdictText(allowed);
  const lines = [
    `${endText(from)} -> ${endText(to)}, ${flowText(answer)}: ${verdict}`,
    ...nodes.flatMap((node) => nodeLines(node, shown)),
    ...traceLines(answer),
  ];
  return `${lines.join('\n')}\n`;
}

function nodeLines(node: ExplainResponse, shown: ShownDirection): string[] {
  const directions = node.directions.filter(
    ({ direction }) => shown === 'both' || shown === direction,
  );
  // What is decided before policy, or where neither end is a pod of the node.
  const isOther = node.directions.every(({ allowed }) => allowed) !== node.allowed;
  if (node.directions.length === 0 || isOther) {
    const head = `On ${node.node}: ${verdictText(node.allowed)}: ${node.because}`;
    return ['', head, ...directions.flatMap((each) => directionLines(node.node, each))];
  }
  return directions.flatMap((each) => directionLines(node.node, each));
}

function directionLines(node: string, explanation: DirectionExplanation): string[] {
  const { direction, endpoint, allowed, decidedBy, tiers, profiles, nearest } = explanation;
  return [
    '',
    `On ${node}, ${direction} of ${endpoint}: ${verdictText(allowed)} by ${decidedBy}`,
    ...tiers.flatMap(tierLines),
    ...profiles.flatMap((profile) => policyLines(profile, '  ')),
    ...(nearest === undefined ? [] : [nearestText(nearest)]),
  ];
}

function tierLines({ name, policies, outcome, byDefault }: TierExplanation): string[] {
  return [
    `  tier ${name}`,
    ...policies.flatMap((policy) => policyLines(policy, '    ')),
    ...(byDefault ? [`    default action ${outcome}: no rule above matches`] : []),
  ];
}

function policyLines(policy: PolicyExplanation, indent: string): string[] {
  const { kind, namespace, name, rules, problem } = policy;
  const title = `${indent}${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
  if (problem !== '') return [`${title} ${problem}`];
  if (rules.length === 0) return [`${title}: no rules for this direction`];
  // The last one is the one that decided, if any did.
  const listed = rules.length > MOST_RULES + 1 ? rules.slice(0, MOST_RULES) : rules.slice(0, -1);
  const skipped = rules.length - 1 - listed.length;
  return [
    title,
    ...listed.map((rule) => `${indent}  ${ruleText(rule)}`),
    ...(skipped > 0 ? [`${indent}  … ${skipped} more rules`] : []),
    ...rules.slice(-1).map((rule) => `${indent}  ${ruleText(rule)}`),
  ];
}

function ruleText({ number, action, matched, mismatches }: RuleExplanation): string {
  const head = `rule ${number} ${action}`;
  if (matched) return `${head}: matches`;
  return `${head}: no match: ${mismatches.map(mismatchText).join('; ')}`;
}

function mismatchText({ field, wanted, found }: FieldMismatch): string {
  return `${field} wants ${wanted}, found ${found}`;
}

function nearestText({ rule, mismatches }: NearestRule): string {
  const remedies = mismatches.map(({ remedy }) => remedy);
  return `  ${rule} would allow it if ${remedies.join(' and ')}`;
}

function traceLines({ traces, allowed }: WhyResponse): string[] {
  if (traces.length === 0) return [];
  const steps = traces.flatMap((trace) => trace.steps);
  const isDropped = steps.some(({ verdict }) => verdict === 'drop');
  // A packet that arrives is seen on every node on its way.
  const isSeen = traces.every((trace) => trace.steps.length > 0);
  return [
    ...traces.flatMap(traceOfNode),
    '',
    isDropped || !isSeen
      ? `The kernel ${isDropped ? 'dropped it' : 'did not bring it to its end'}; predicted: ${verdictText(allowed)}`
      : `The kernel let it pass; predicted: ${verdictText(allowed)}`,
  ];
}

function traceOfNode({ node, steps, problem }: TraceResponse): string[] {
  if (problem !== '') return ['', `On ${node}, nothing was traced: ${problem}`];
  if (steps.length === 0) return ['', `On ${node}, the packet was not seen`];
  const rows = steps.map(({ table, chain, rule, verdict }) => [
    table === 'calico' ? chain : `table ${table}: ${chain}`,
    rule === '' ? 'end of the chain' : rule,
    verdict,
  ]);
  const lines = formatColumns([['CHAIN', 'RULE', 'VERDICT'], ...rows])
    .trimEnd()
    .split('\n');
  return ['', `On ${node}, the packet met`, ...lines.map((line) => `  ${line.trimEnd()}`)];
}

function verdictText(allowed: boolean): string {
  return allowed ? 'allowed' : 'denied';
}

function endText(end: ConnectionEnd | undefined): string {
  const { name = '', address = '' } = end ?? {};
  return name === address ? name : `${name} (${address})`;
}

function flowText({ flow }: WhyResponse): string {
  if (flow === undefined) return '';
  const { protocol, destinationPort, icmpType, icmpCode } = flow;
  const name = protocolText(protocol);
  if (protocol === 1 || protocol === 58) return `${name} type ${icmpType} code ${icmpCode}`;
  return destinationPort === 0 ? name : `${name} port ${destinationPort}`;
}

/** "TCP", or "protocol 47". */
export function protocolText(protocol: number): string {
  return PROTOCOLS[protocol] ?? `protocol ${protocol}`;
}

/** The number of a protocol by its name in any case, or by itself; undefined: no such protocol. */
export function protocolNumberOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= 255 ? Number(text) : undefined;
  const found = Object.entries(PROTOCOLS).find(
    ([, name]) => name.toLowerCase() === text.toLowerCase(),
  );
  return found && Number(found[0]);
}
