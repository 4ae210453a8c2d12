// Checks and their repair: reads everything as it was at one revision, and runs repairs one by one.
import type { Clock } from '@calico/clock';
import { formatAddress, formatPrefix, type Prefix, parsePrefix } from '@calico/ip';
import type { Finding } from '../core/inspection/finding.ts';
import { type Findings, findingsOf, isLeaked } from '../core/inspection/findings.ts';
import { INVENTORY_PREFIXES, Inventory } from '../core/inspection/inventory.ts';
import { IpamError, type Reason } from '../core/ipam_error.ts';
import {
  deleteAffinity,
  type LeakedAddress,
  type Repair,
  recountHandle,
  releaseLeaked,
  writeAffinity,
} from '../core/programs/repair.ts';
import type { RecordStore } from '../ports.ts';
import type { NodeRemover } from './node_remover.ts';
import type { ProgramRunner } from './program_runner.ts';
import { callOptions } from './store_access.ts';

const PAGE = 500;
const REFUSALS: readonly Reason[] = ['precondition', 'contended'];

export type Inspection = Findings & { readonly inventory: Inventory; readonly revision: bigint };

export type FaultyRecord = Pick<Finding, 'kind' | 'subject' | 'revision'>;

export type RepairOutcome = {
  readonly released: readonly string[];
  readonly repaired: readonly string[];
  readonly skipped: readonly { readonly subject: string; readonly reason: string }[];
};

export type InspectorOptions = {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly runner: ProgramRunner;
  readonly remover: NodeRemover;
};

export class Inspector {
  readonly #options: InspectorOptions;

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  /** Page by page, all at the revision of the first. */
  async check(signal?: AbortSignal): Promise<Inspection> {
    const { store, clock } = this.#options;
    const inventory = new Inventory(clock.now());
    let revision: bigint | undefined;
    for (const prefix of INVENTORY_PREFIXES) {
      let after: string | undefined;
      do {
        const page = await store.list(prefix, {
          limit: PAGE,
          ...(after === undefined ? {} : { after }),
          ...(revision === undefined ? {} : { revision }),
          ...callOptions(signal),
        });
        revision ??= page.revision;
        for (const entry of page.entries) inventory.add(entry);
        after = page.more ? page.entries.at(-1)?.key : undefined;
      } while (after !== undefined);
    }
    return { ...findingsOf(inventory), inventory, revision: revision ?? 0n };
  }

  /** Repairs what is still as reported. `force`: also young assignments. */
  async repair(
    leaks: readonly LeakedAddress[],
    records: readonly FaultyRecord[],
    force: boolean,
    signal?: AbortSignal,
  ): Promise<RepairOutcome> {
    const inspection = await this.check(signal);
    const released: string[] = [];
    const repaired: string[] = [];
    const skipped: { subject: string; reason: string }[] = [];
    const leaked = new Set(inspection.allocations.filter(isLeaked).map(({ address }) => address));
    for (const leak of leaks) {
      const subject = formatAddress(leak.address);
      const reason = leaked.has(subject)
        ? await this.#run((now) => releaseLeaked(leak, force, now), signal)
        : 'it is not leaked any more';
      if (reason === undefined) released.push(subject);
      else skipped.push({ subject, reason });
    }
    for (const record of records) {
      const reason = await this.#repairRecord(record, inspection, signal);
      if (reason === undefined) repaired.push(record.subject);
      else skipped.push({ subject: record.subject, reason });
    }
    return { released, repaired, skipped };
  }

  #run(start: (now: number) => Repair, signal?: AbortSignal): Promise<string | undefined> {
    return this.#options.runner.run(start, signal);
  }

  async #repairRecord(
    { kind, subject, revision }: FaultyRecord,
    inspection: Inspection,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    switch (kind) {
      case 'leaked-handle':
      case 'missing-handle':
      case 'wrong-count': {
        const cidrs = blocksHolding(subject, inspection);
        return this.#run(() => recountHandle(subject, cidrs, revision), signal);
      }
      case 'wrong-affinity':
        return this.#run(() => deleteAffinity(subject, revision), signal);
      case 'missing-affinity':
        return this.#run(() => writeAffinity(parsePrefix(subject), revision), signal);
      case 'node-gone':
        if (inspection.inventory.nodes.has(subject)) return 'the node exists';
        return this.#removeNode(subject, signal);
      default:
        return 'it cannot be repaired from a report';
    }
  }

  /** Why the node cannot go; others still can be repaired. */
  async #removeNode(node: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    try {
      await this.#options.remover.remove(node, signal);
      return undefined;
    } catch (error) {
      const isRefused = error instanceof IpamError && REFUSALS.includes(error.reason);
      if (!isRefused) throw error;
      return error.message;
    }
  }
}

function blocksHolding(handleId: string, { allocations }: Inspection): Prefix[] {
  const cidrs = new Set(
    allocations.filter((one) => one.handleId === handleId).map(({ block }) => block),
  );
  return [...cidrs].map((cidr) => parsePrefix(cidr)).toSorted(byText);
}

function byText(a: Prefix, b: Prefix): number {
  return formatPrefix(a) < formatPrefix(b) ? -1 : 1;
}
