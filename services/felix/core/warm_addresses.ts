// Addresses that this node holds ready, so that a pod can start while ipam or etcd cannot be reached.
//
//   lease ──► stock (on disk) ──take──► record of a workload ──adopt──► the workload's own in IPAM
//     ▲ renewed at half time                     │ refused: declared gone meanwhile ──► taken back
//     └──────────── returned at a stop ◄─────────┴── DEL before the adoption
//
// Nothing is taken after the lease: from then on others may get the addresses.
import type { Clock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import type { LeaseSource, Log, StockFile } from '../ports.ts';
import type { LeasedAddress, Workload, WorkloadRecord } from './workload.ts';
import type { WorkloadBook } from './workload_book.ts';
import { WorkloadError } from './workload_error.ts';
import type { WorkloadRemover } from './workload_remover.ts';

export type Stock = {
  readonly addresses: readonly LeasedAddress[];
  /** Milliseconds since the epoch. */
  readonly until: number;
};

/** A setting that changes, or a pool that was full, is seen after this time. */
const RECHECK_MS = 60_000;
const EMPTY: Stock = { addresses: [], until: 0 };

export type WarmParts = {
  readonly source: LeaseSource;
  readonly file: StockFile;
  readonly clock: Clock;
  readonly book: WorkloadBook;
  readonly remover: WorkloadRemover;
  readonly log: Log;
  /** Tells people which pods' addresses could not be made their own; none: all is well. */
  readonly report: (problems: readonly string[]) => void;
  /** Whether pods of this node have addresses of the family. */
  readonly hasFamily: (family: 4 | 6) => boolean;
};

export class WarmAddresses {
  readonly #parts: WarmParts;
  #stock: Stock;
  /** The end of the lease where no clock can jump; known unless this process has not renewed it. */
  #deadline = Number.POSITIVE_INFINITY;
  #nextCheck = 0;
  /** One change of the stock at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: WarmParts) {
    this.#parts = parts;
    this.#stock = parts.file.load() ?? EMPTY;
  }

  /**
   * One address per family that the workload wants; undefined when there is none, or it asks for
   * something special. What is taken is off the stock on disk before this resolves.
   */
  take(workload: Workload): Promise<readonly LeasedAddress[] | undefined> {
    return this.#exclusive(async () => {
      const { requestedAddresses, ipv4Pools, ipv6Pools } = workload;
      const special = [requestedAddresses, ipv4Pools, ipv6Pools].some((all) => all.length > 0);
      if (special || this.#isOver()) return undefined;
      const wanted = [
        ...(workload.ipv4 ? [4 as const] : []),
        ...(workload.ipv6 ? [6 as const] : []),
      ];
      const taken = wanted.flatMap((family) => {
        const found = this.#stock.addresses.find((one) => familyOf(one) === family);
        return found === undefined ? [] : [found];
      });
      if (taken.length < wanted.length) return undefined;
      await this.#save({
        ...this.#stock,
        addresses: this.#stock.addresses.filter((one) => !taken.includes(one)),
      });
      this.#nextCheck = 0;
      return taken;
    });
  }

  /** Whether take() can answer now what pods of this node usually ask for. */
  isReady(): boolean {
    const families = this.#usualFamilies();
    const held = new Set(this.#stock.addresses.map(familyOf));
    return families.length > 0 && families.every((family) => held.has(family)) && !this.#isOver();
  }

  /** Those that the node's pods have asked for; all that the pools have, while there are no pods. */
  #usualFamilies(): (4 | 6)[] {
    const { book, hasFamily } = this.#parts;
    const families = ([4, 6] as const).filter(hasFamily);
    const workloads = book.records.map(({ workload }) => workload);
    if (workloads.length === 0) return families;
    return families.filter((family) =>
      workloads.some(({ ipv4, ipv6 }) => (family === 4 ? ipv4 : ipv6)),
    );
  }

  /** Has adopted what workloads took, and keeps the stock. Throws `unavailable` to be tried again. */
  async ensure(): Promise<void> {
    const { book, report } = this.#parts;
    const problems: string[] = [];
    for (const { workload, leased, phase } of book.records) {
      if (leased === undefined || phase !== 'present') continue;
      const problem = await book.run(workload, () => this.#adopt(workload));
      if (problem !== undefined) problems.push(problem);
    }
    report(problems);
    if (this.#parts.clock.now() >= this.#nextCheck) await this.#exclusive(() => this.#renew());
  }

  /** At a stop: somebody else may have them. What cannot be returned stays leased until the end. */
  async returnAll(): Promise<void> {
    await this.#exclusive(async () => {
      const { addresses } = this.#stock;
      if (addresses.length === 0) return;
      await this.#save(EMPTY);
      await this.#parts.source.returnLeased(
        addresses.map(({ address }) => address),
        false,
      );
    });
  }

  /** Answers why the pod still has an address that is the node's. */
  async #adopt(workload: Workload): Promise<string | undefined> {
    const { book, source, remover, log } = this.#parts;
    const record = book.get(workload);
    if (record?.leased === undefined || record.phase !== 'present') return undefined;
    try {
      await source.adopt(record.handle, workload, record.leased);
    } catch (cause) {
      if (!(cause instanceof WorkloadError) || cause.kind === 'unavailable') throw cause;
      const pod = `${workload.namespace}/${workload.pod}`;
      if (cause.kind !== 'missing') {
        return `pod "${pod}" runs on an address that ipam does not make its own: ${cause.message}`;
      }
      log.error('a pod loses its address: this node was declared gone when it was assigned', {
        pod,
        cause: cause.message,
      });
      const pending = { endpoint: true, address: true };
      await remover.takeBack({ ...own(record), phase: 'removing', pending }, { remoteNow: true });
      return undefined;
    }
    await book.put(own(record));
    return undefined;
  }

  async #renew(): Promise<void> {
    const { source, clock, book, hasFamily } = this.#parts;
    const sent = clock.now();
    const sentMonotonic = clock.monotonic();
    const families = ([4, 6] as const).filter(hasFamily);
    if (families.length === 0) return;
    const { addresses, leaseMs, count, retired } = await source.lease(families);
    const used = new Set(
      book.records.flatMap(({ leased = [] }) => leased.map(({ address }) => address)),
    );
    const free = addresses.filter(({ address }) => !used.has(address));
    const kept = ([4, 6] as const).flatMap((family) =>
      free
        .filter((one) => familyOf(one) === family && !retired.includes(one.address))
        .slice(0, count),
    );
    await this.#save({ addresses: kept, until: sent + leaseMs });
    this.#deadline = sentMonotonic + leaseMs;
    const isFull = kept.length >= count * families.length && count > 0;
    // What is returned is replaced the next time, out of another pool.
    const pauseMs = isFull ? leaseMs / 2 : RECHECK_MS;
    this.#nextCheck = retired.length > 0 ? sent : sent + pauseMs;
    const surplus = free.filter((one) => !kept.includes(one)).map(({ address }) => address);
    if (surplus.length > 0) await source.returnLeased(surplus, false);
  }

  #isOver(): boolean {
    const { clock } = this.#parts;
    return clock.now() >= this.#stock.until || clock.monotonic() >= this.#deadline;
  }

  async #save(stock: Stock): Promise<void> {
    if (stock.addresses.length > 0 || this.#stock.addresses.length > 0) {
      await this.#parts.file.save(stock);
    }
    this.#stock = stock;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function own({ leased: _leased, ...record }: WorkloadRecord): WorkloadRecord {
  return record;
}

function familyOf({ address }: LeasedAddress): 4 | 6 {
  return parseAddress(address).family;
}
