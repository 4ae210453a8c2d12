// `ipam release`: gives back single addresses, or what reports of `ipam check` agree on.
import { readFile } from 'node:fs/promises';
import { CheckProblemKind, type RepairResponse } from '@calico/proto/ipam/v1/admin';
import { CommandError } from '../command_error.ts';
import {
  parseReport,
  type Report,
  type ReportedAllocation,
  type ReportedProblem,
} from '../formats/ipam_report.ts';
import { toDocument } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { codeOf } from './write.ts';

type ReleaseOptions = {
  readonly ip?: string;
  readonly handle?: string;
  readonly fromReport?: readonly string[];
  readonly force?: boolean;
};

export const addRelease: CommandAdder = (ipam, run) => {
  ipam
    .command('release')
    .description('give addresses back that nothing uses any more')
    .option('--ip <address>', 'this address')
    .option('--handle <id>', 'every address of this handle')
    .option('--from-report <file...>', 'what all these reports of "ipam check" say is left over')
    .option('--force', 'also of another cluster or version, and addresses assigned just now')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam release --ip=10.244.58.193
  calicoctl ipam release --handle=k8s-pod-network.3f2a90c1
  calicoctl ipam check -o report.json && calicoctl ipam release --from-report=report.json

An address that a running pod still uses is given to another pod afterwards: look first with
"calicoctl ipam show --ip=ADDRESS" and "calicoctl get workloadendpoints -A". From reports only that
is released which is still exactly as reported; the datastore need not be locked.`,
    )
    .action((options: ReleaseOptions) => run((session) => release(session, options)));
};

async function release(session: Session, options: ReleaseOptions): Promise<void> {
  const { ip, handle, fromReport, force = false } = options;
  if ([ip, handle, fromReport].filter((one) => one !== undefined).length !== 1) {
    throw new CommandError(
      'Cannot choose addresses: expected either --ip or --handle or --from-report',
    );
  }
  if (fromReport !== undefined) await releaseReported(session, fromReport, force);
  else if (ip !== undefined) await releaseAddress(session, ip);
  else await releaseHandle(session, handle ?? '');
}

async function releaseAddress({ connections, terminal }: Session, ip: string): Promise<void> {
  const { unallocated } = await connections.ask('ipam', (client) =>
    client.releaseIps({ releases: [{ address: ip }] }),
  );
  if (unallocated.length > 0) {
    throw new CommandError(`Cannot release "${ip}": it is not assigned`);
  }
  terminal.out(`Successfully released IP address ${ip}\n`);
}

async function releaseHandle({ connections, terminal }: Session, handleId: string): Promise<void> {
  const { released } = await connections.ask('ipam', (client) =>
    client.releaseByHandle({ handleId }),
  );
  for (const address of released) terminal.out(`Successfully released IP address ${address}\n`);
  terminal.out(`Released ${released.length} IPs successfully\n`);
}

/** What one call carries, and how long it may take. */
const PART = 500;
const TIMEOUT_MS = 120_000;

const REPAIRABLE = new Set<CheckProblemKind>([
  CheckProblemKind.MISSING_HANDLE,
  CheckProblemKind.WRONG_COUNT,
  CheckProblemKind.WRONG_AFFINITY,
  CheckProblemKind.MISSING_AFFINITY,
  CheckProblemKind.NODE_GONE,
]);

async function releaseReported(
  session: Session,
  files: readonly string[],
  force: boolean,
): Promise<void> {
  const reports = await Promise.all(files.map(readReport));
  if (!force) await refuseForeign(session, reports);
  const leaks = inAll(reports, ({ allocations }) => allocations.filter(isLeaked), leakKey);
  const problems = inAll(reports, (report) => report.problems, problemKey);
  const handles = problems.filter(({ kind }) => kind === CheckProblemKind.LEAKED_HANDLE);
  const others = problems.filter(({ kind }) => REPAIRABLE.has(kind));
  const { terminal } = session;
  const addresses = await repair(session, force, leaks, (part) => ({
    addresses: part.map(({ ip, handle, sequenceNumber }) => ({
      address: ip,
      handleId: handle,
      sequenceNumber,
    })),
  }));
  say(session, addresses);
  terminal.out(`Released ${addresses.releasedAddresses.length} IPs successfully\n`);
  const released = await repair(session, force, handles, (part) => ({ records: [...part] }));
  say(session, released);
  const count = released.repairedRecords.length;
  terminal.out(`Released ${count} handles; ${released.skipped.length} skipped; 0 errors.\n`);
  const records = await repair(session, force, others, (part) => ({ records: [...part] }));
  say(session, records);
  if (others.length === 0) return;
  terminal.out(
    `Corrected ${records.repairedRecords.length} records; ${records.skipped.length} skipped.\n`,
  );
}

function say({ terminal }: Session, { skipped }: Outcome): void {
  for (const { subject, reason } of skipped) terminal.out(`Skipped ${subject}: ${reason}\n`);
}

type Outcome = Pick<RepairResponse, 'releasedAddresses' | 'repairedRecords' | 'skipped'>;

async function repair<T>(
  { connections }: Session,
  force: boolean,
  items: readonly T[],
  request: (part: readonly T[]) => object,
): Promise<Outcome> {
  const all: Outcome = { releasedAddresses: [], repairedRecords: [], skipped: [] };
  for (let at = 0; at < items.length; at += PART) {
    const part = { ...request(items.slice(at, at + PART)), force };
    const done = await connections.ask('ipamAdmin', (client) =>
      client.repair(part, { timeoutMs: TIMEOUT_MS }),
    );
    all.releasedAddresses.push(...done.releasedAddresses);
    all.repairedRecords.push(...done.repairedRecords);
    all.skipped.push(...done.skipped);
  }
  return all;
}

/** Items of the first report that all others have too, each once. */
function inAll<T>(
  [first, ...others]: readonly Report[],
  itemsOf: (report: Report) => readonly T[],
  keyOf: (item: T) => string,
): T[] {
  if (first === undefined) return [];
  const sets = others.map((report) => new Set(itemsOf(report).map(keyOf)));
  const items = new Map(itemsOf(first).map((item) => [keyOf(item), item] as const));
  return [...items].filter(([key]) => sets.every((set) => set.has(key))).map(([, item]) => item);
}

function isLeaked({ inUse, coolingDown }: ReportedAllocation): boolean {
  return !inUse && !coolingDown;
}

function leakKey({ ip, handle, sequenceNumber }: ReportedAllocation): string {
  return `${ip} ${sequenceNumber} ${handle}`;
}

function problemKey({ kind, subject, revision }: ReportedProblem): string {
  return `${kind} ${revision} ${subject}`;
}

async function readReport(file: string): Promise<Report> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new CommandError(`Cannot read report "${file}": ${(cause as Error).message}`, { cause });
  }
  return parseReport(file, text);
}

/** Reports of another cluster, or of this one before an upgrade, say nothing about what is left over. */
async function refuseForeign(session: Session, reports: readonly Report[]): Promise<void> {
  const cluster = await clusterInformation(session);
  for (const { file, clusterGuid, version } of reports) {
    const facts = [
      ['clusterGUID', clusterGuid, cluster.guid],
      ['version', version, cluster.version],
    ] as const;
    const wrong = facts.find(([, reported, actual]) => reported !== actual);
    if (wrong === undefined) continue;
    const [field, reported, actual] = wrong;
    throw new CommandError(
      `Cannot use report "${file}": its ${field} is "${reported}", this cluster's is "${actual}"`,
      { advice: 'Make a new report with "calicoctl ipam check -o FILE", or add --force.' },
    );
  }
}

async function clusterInformation({ connections }: Session) {
  const key = { kind: 'ClusterInformation', namespace: '', name: 'default' };
  try {
    const { resource } = await connections.ask('api', (client) => client.get({ key }));
    const { clusterGUID, calicoVersion } = (toDocument(resource).spec ?? {}) as {
      clusterGUID?: string;
      calicoVersion?: string;
    };
    return { guid: clusterGUID ?? '', version: calicoVersion ?? '' };
  } catch (cause) {
    if (codeOf(cause) === 'NOT_FOUND') return { guid: '', version: '' };
    throw cause;
  }
}
