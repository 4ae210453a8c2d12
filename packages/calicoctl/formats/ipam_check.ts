// The text of `ipam check`, line by line as upstream has it.
import {
  type CheckedAllocation,
  type CheckedBlock,
  type CheckProblem,
  CheckProblemKind,
  type CheckSummary,
} from '@calico/proto/ipam/v1/admin';

export type Check = {
  readonly summary: CheckSummary;
  readonly blocks: readonly CheckedBlock[];
  readonly allocations: readonly CheckedAllocation[];
  readonly problems: readonly CheckProblem[];
};

export type CheckTextOptions = { readonly allIps: boolean; readonly problemIps: boolean };

const MOST_NODES = 20;
const K = CheckProblemKind;

export function formatCheck(check: Check, options: CheckTextOptions): string {
  const { summary, problems } = check;
  const count = (...kinds: CheckProblemKind[]): number =>
    problems.filter(({ kind }) => kinds.includes(kind)).length;
  const listed = (...kinds: CheckProblemKind[]): string[] =>
    options.allIps || options.problemIps
      ? problems.filter(({ kind }) => kinds.includes(kind)).map(({ message }) => `  ${message}`)
      : [];
  const section = (title: string, ...parts: [text: string, ...kinds: CheckProblemKind[]][]) => [
    title,
    ...parts.flatMap(([, ...kinds]) => listed(...kinds)),
    ...parts.map(([text, ...kinds]) => `Found ${count(...kinds)} ${text}`),
    '',
  ];
  return [
    'Checking IPAM for inconsistencies...',
    '',
    ...blockLines(check, options),
    'Loading all IPAM pools...',
    ...summary.activePools.map((cidr) => `  ${cidr}`),
    `Found ${summary.activePools.length} active IP pools.`,
    '',
    'Loading all nodes.',
    `Found ${summary.nodeTunnelAddresses} node tunnel IPs.`,
    '',
    'Loading all service load balancer IPs.',
    `Found ${summary.loadBalancers} service load balancer(s).`,
    '',
    'Loading all workload endpoints.',
    `Found ${summary.workloadAddresses} workload IPs.`,
    `Workloads and nodes are using ${summary.addressesInUse} IPs.`,
    '',
    'Loading all handles',
    'Looking for top (up to 20) nodes by allocations...',
    ...nodeLines(check.allocations),
    '',
    ...section('Scanning for IPs that are allocated but not actually in use...', [
      'IPs that are allocated in IPAM but not actually in use.',
      K.LEAKED_ADDRESS,
    ]),
    ...section(
      'Scanning for IPs that are in use by a workload or node but not allocated in IPAM...',
      ['in-use IPs that are not in active IP pools.', K.OUTSIDE_POOLS],
      [
        'in-use IPs that are in active IP pools but have no corresponding IPAM allocation.',
        K.NOT_ASSIGNED,
      ],
    ),
    ...section('Scanning for IPAM handles with no matching IPs...', [
      `handles with no matching IPs (and ${summary.handlesWithAddresses} handles with matches).`,
      K.LEAKED_HANDLE,
    ]),
    ...section(
      'Scanning for IPs with missing handle...',
      ['handles mentioned in blocks with no matching handle resource.', K.MISSING_HANDLE],
      ['handles that count other IPs than blocks hold for them.', K.WRONG_COUNT],
    ),
    ...section('Validating IPAMBlock structures...', ['invalid IPAMBlocks.', K.INVALID_BLOCK]),
    ...section(
      'Comparing blocks with affinities, pools and nodes...',
      ['blocks that are in no IP pool.', K.BLOCK_OUTSIDE_POOLS],
      ['affinities that contradict their block, or have none.', K.WRONG_AFFINITY],
      ['blocks whose node has no record of them.', K.MISSING_AFFINITY],
      ['nodes that hold blocks and do not exist.', K.NODE_GONE],
      ['IPs with two owners.', K.TWO_OWNERS],
      ['records that cannot be read.', K.UNREADABLE],
    ),
    `Check complete; found ${problems.length} problems.`,
    '',
  ].join('\n');
}

function blockLines({ blocks, allocations }: Check, { allIps }: CheckTextOptions): string[] {
  const byBlock = Map.groupBy(allIps ? allocations : [], ({ block }) => block);
  return [
    'Loading all IPAM blocks...',
    `Found ${blocks.length} IPAM blocks.`,
    ...blocks.flatMap(({ cidr, affinity }) => [
      ` IPAM block ${cidr} affinity=${affinity === '' ? '<none>' : affinity}:`,
      ...(byBlock.get(cidr) ?? []).map(allocationLine),
    ]),
    `IPAM blocks record ${allocations.length} allocations.`,
    '',
  ];
}

function allocationLine(one: CheckedAllocation): string {
  const { address, handleId, owners, coolingDown, borrowed } = one;
  const users = owners.length > 0 ? `in use by ${owners.join(', ')}` : 'not in use';
  const facts = [
    `handle ${handleId === '' ? '<none>' : handleId}`,
    coolingDown ? 'cooling down' : users,
    ...(borrowed ? ['borrowed'] : []),
  ];
  return `  ${address} allocated; ${facts.join('; ')}`;
}

function nodeLines(allocations: readonly CheckedAllocation[]): string[] {
  const counts = new Map<string, number>();
  for (const { attributes } of allocations) {
    const { node } = attributes;
    if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const sorted = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const most = sorted[0]?.[1] ?? 0;
  const median = sorted[Math.floor(sorted.length / 2)]?.[1] ?? 0;
  return [
    ...sorted.slice(0, MOST_NODES).map(([node, count]) => `  ${node} has ${count} allocations`),
    `Node with most allocations has ${most}; median is ${median}`,
  ];
}
