// What a check has found as messages, in parts of bounded size.
import type { MessageInitShape } from '@bufbuild/protobuf';
import { formatPrefix } from '@calico/ip';
import {
  CheckProblemKind,
  type CheckProblemSchema,
  type CheckResponseSchema,
  type CheckSummarySchema,
} from '@calico/proto/ipam/v1/admin';
import type { Allocation } from '../core/inspection/allocations.ts';
import type { Finding, FindingKind } from '../core/inspection/finding.ts';
import { countByHandle } from '../core/inspection/record_findings.ts';
import type { Inspection } from './inspector.ts';

type CheckMessage = MessageInitShape<typeof CheckResponseSchema>;

const PART = 500;

const KINDS: Readonly<Record<FindingKind, CheckProblemKind>> = {
  'leaked-address': CheckProblemKind.LEAKED_ADDRESS,
  'outside-pools': CheckProblemKind.OUTSIDE_POOLS,
  'not-assigned': CheckProblemKind.NOT_ASSIGNED,
  'leaked-handle': CheckProblemKind.LEAKED_HANDLE,
  'missing-handle': CheckProblemKind.MISSING_HANDLE,
  'wrong-count': CheckProblemKind.WRONG_COUNT,
  'invalid-block': CheckProblemKind.INVALID_BLOCK,
  'block-outside-pools': CheckProblemKind.BLOCK_OUTSIDE_POOLS,
  'wrong-affinity': CheckProblemKind.WRONG_AFFINITY,
  'missing-affinity': CheckProblemKind.MISSING_AFFINITY,
  'node-gone': CheckProblemKind.NODE_GONE,
  'two-owners': CheckProblemKind.TWO_OWNERS,
  unreadable: CheckProblemKind.UNREADABLE,
};

const KIND_NAMES = new Map(
  Object.entries(KINDS).map(([name, kind]) => [kind, name as FindingKind] as const),
);

/** Undefined for a kind that this service does not know. */
export function findingKind(kind: CheckProblemKind): FindingKind | undefined {
  return KIND_NAMES.get(kind);
}

export function* checkMessages(inspection: Inspection): Generator<CheckMessage> {
  yield { summary: summary(inspection) };
  for (const blocks of parts(inspection.inventory.blocks)) {
    yield {
      blocks: blocks.map(({ cidr, block }) => ({
        cidr: formatPrefix(cidr),
        affinity: block?.affinity ?? '',
      })),
    };
  }
  for (const part of parts(inspection.allocations)) yield { allocations: part.map(allocation) };
  for (const part of parts(inspection.findings)) yield { problems: part.map(problem) };
}

function summary({
  inventory,
  allocations,
  revision,
}: Inspection): MessageInitShape<typeof CheckSummarySchema> {
  const { cluster, pools, uses, handles } = inventory;
  const usedBy = (kind: string): bigint =>
    BigInt([...uses.values()].filter((all) => all.some((use) => use.kind === kind)).length);
  const held = countByHandle(allocations);
  const balancers = [...held.keys()].filter((handleId) => handleId.startsWith('lb-'));
  return {
    revision,
    clusterGuid: cluster.guid,
    clusterType: cluster.type,
    calicoVersion: cluster.version,
    datastoreLocked: cluster.isLocked,
    clusterInformationRevision: cluster.revision,
    activePools: pools.filter(({ disabled }) => !disabled).map(({ cidr }) => formatPrefix(cidr)),
    nodeTunnelAddresses: usedBy('node'),
    loadBalancers: BigInt(balancers.length),
    workloadAddresses: usedBy('workload'),
    addressesInUse: BigInt(uses.size),
    handlesWithAddresses: BigInt([...handles.keys()].filter((id) => held.has(id)).length),
  };
}

function allocation(one: Allocation) {
  const { address, block, handleId, sequenceNumber, attributes, owners } = one;
  const { isInUse, isBorrowed, isCoolingDown } = one;
  return {
    address,
    block,
    handleId,
    sequenceNumber,
    attributes: { ...attributes },
    owners: [...owners],
    inUse: isInUse,
    borrowed: isBorrowed,
    coolingDown: isCoolingDown,
  };
}

function problem(finding: Finding): MessageInitShape<typeof CheckProblemSchema> {
  const { kind, subject, message, revision } = finding;
  return { kind: KINDS[kind], subject, message, revision };
}

function* parts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += PART) yield all.slice(at, at + PART);
}
