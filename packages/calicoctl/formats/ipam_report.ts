// The report file of `ipam check -o`, which `ipam release --from-report` reads: upstream's fields, and
// beside them the revision of etcd and all problems.
import { CheckProblemKind } from '@calico/proto/ipam/v1/admin';
import { CommandError } from '../command_error.ts';
import type { Check } from './ipam_check.ts';

export type ReportedAllocation = {
  readonly ip: string;
  readonly handle: string;
  readonly sequenceNumber: bigint;
  readonly inUse: boolean;
  readonly coolingDown: boolean;
};

export type ReportedProblem = {
  readonly kind: CheckProblemKind;
  readonly subject: string;
  readonly revision: bigint;
};

export type Report = {
  /** Where it was read from. */
  readonly file: string;
  readonly version: string;
  readonly clusterGuid: string;
  readonly allocations: readonly ReportedAllocation[];
  readonly problems: readonly ReportedProblem[];
};

const KIND_BY_NAME = new Map<string, CheckProblemKind>(Object.entries(CheckProblemKind));
const NAME_BY_KIND = new Map([...KIND_BY_NAME].map(([name, kind]) => [kind, name] as const));

export function formatReport({ summary, allocations, problems }: Check): string {
  const byAddress: Record<string, unknown[]> = {};
  for (const one of allocations) {
    const { pod, namespace, node, type, timestamp } = one.attributes;
    const ofAddress = (byAddress[one.address] ??= []);
    ofAddress.push({
      ip: one.address,
      handle: one.handleId,
      sequenceNumber: one.sequenceNumber,
      pod,
      namespace,
      node,
      type,
      creationTimestamp: timestamp,
      inUse: one.inUse,
      borrowed: one.borrowed,
      coolingDown: one.coolingDown,
      owners: one.owners,
    });
  }
  const report = {
    version: summary.calicoVersion,
    clusterGUID: summary.clusterGuid,
    datastoreLocked: summary.datastoreLocked,
    clusterInformationRevision: String(summary.clusterInformationRevision),
    clusterType: summary.clusterType,
    revision: summary.revision,
    allocations: byAddress,
    leakedHandles: problems
      .filter(({ kind }) => kind === CheckProblemKind.LEAKED_HANDLE)
      .map(({ subject, revision }) => ({ id: subject, uid: '', revision: String(revision) })),
    problems: problems.map(({ kind, subject, message, revision }) => ({
      kind: NAME_BY_KIND.get(kind),
      subject,
      message,
      revision,
    })),
  };
  return `${JSON.stringify(report, plainIntegers, 2)}\n`;
}

/** @throws CommandError */
export function parseReport(file: string, text: string): Report {
  try {
    const report = fields(JSON.parse(text, wholeIntegers as never));
    const problems = list(report['problems']).map(problemOf);
    // Another writer's reports have no problems, but leaked handles.
    const handles = list(report['leakedHandles']).map((handle) => ({
      kind: CheckProblemKind.LEAKED_HANDLE,
      subject: textOf(fields(handle)['id'], 'leakedHandles.id'),
      revision: integer(fields(handle)['revision'], 'leakedHandles.revision'),
    }));
    return {
      file,
      version: textOf(report['version'], 'version'),
      clusterGuid: textOf(report['clusterGUID'], 'clusterGUID'),
      allocations: Object.values(fields(report['allocations'])).flatMap((all) =>
        list(all).map(allocationOf),
      ),
      problems: problems.length > 0 ? problems : handles,
    };
  } catch (cause) {
    throw new CommandError(
      `Cannot read report "${file}": ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause, advice: 'Make one with "calicoctl ipam check -o FILE".' },
    );
  }
}

function allocationOf(value: unknown): ReportedAllocation {
  const one = fields(value);
  return {
    ip: textOf(one['ip'], 'ip'),
    handle: one['handle'] == null ? '' : textOf(one['handle'], 'handle'),
    sequenceNumber: integer(one['sequenceNumber'], 'sequenceNumber'),
    // What is not said to be unused is left alone.
    inUse: one['inUse'] !== false,
    coolingDown: one['coolingDown'] === true,
  };
}

function problemOf(value: unknown): ReportedProblem {
  const { kind, subject, revision } = fields(value);
  return {
    kind: KIND_BY_NAME.get(textOf(kind, 'problems.kind')) ?? CheckProblemKind.UNSPECIFIED,
    subject: textOf(subject, 'problems.subject'),
    revision: integer(revision, 'problems.revision'),
  };
}

// Sequence numbers are beyond 2^53. The library's types do not know rawJSON and the source text yet.
const json = JSON as unknown as { rawJSON(text: string): unknown };

function plainIntegers(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? json.rawJSON(value.toString()) : value;
}

function wholeIntegers(_name: string, value: unknown, { source }: { source?: string }): unknown {
  const isLarge = typeof value === 'number' && !Number.isSafeInteger(value);
  return isLarge && /^-?\d+$/.test(source ?? '') ? BigInt(source ?? '') : value;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new TypeError(`expected an object, found ${JSON.stringify(value)?.slice(0, 40)}`);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`${field}: expected a text`);
}

function integer(value: unknown, field: string): bigint {
  if (value == null) return 0n;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^\d+$/.test(value)) return BigInt(value);
  throw new TypeError(`${field}: expected a whole number`);
}
