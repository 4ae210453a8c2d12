// From wanted to actual routes, a batch at a time: while the kernel works on one, changes gather for the
// next, each prefix once.
//
//   mark() --> dirty --> additions ----------------------> KernelPort.apply() --> RouteStates.found()
//                   \--> removals, until no loss goes on -->   "      , or removeWays()
import type { KernelPort, RouteFailure } from '../../ports.ts';
import type { Defer } from '../host/turns.ts';
import { IntQueue, withRow } from '../rib/columns.ts';
import { ChangeBatch } from './change_batch.ts';
import { type ChangeKind, changeOf, type Removal } from './changes.ts';
import type { RouteStates } from './route_states.ts';
import type { KernelRoute, KernelTarget } from './types.ts';

/**
 * Changes that the kernel is given at a time. It takes some 30 ms for so many, and waits for the next batch
 * until the event loop's turn is over: with smaller batches it would idle for much of the time.
 */
const BATCH = 16_384;
/** From so many removals on it is worth asking whether all routes through a next hop go. */
const MANY = 512;
/** Routes that are looked at in one turn of the event loop: some milliseconds. */
const TURN = 32_768;

const Dirty = 1;
const Leaving = 2;
const UnderWay = 4;

export type WriterEvents = {
  /** Calls back when others have had their turn. */
  readonly defer: Defer;
  readonly onDone: (id: number) => void;
  readonly onFailed: (
    id: number,
    failure: RouteFailure,
    kind: ChangeKind,
    route: KernelRoute,
  ) => void;
  /** Nothing is left to do. */
  readonly onIdle: () => void;
};

export class RouteWriter {
  readonly #kernel: KernelPort;
  readonly #states: RouteStates;
  readonly #events: WriterEvents;
  readonly #batch: ChangeBatch;
  /** Prefixes that are to be looked at, and those whose routes are to be removed: held. */
  readonly #dirty = new IntQueue();
  readonly #leaving = new IntQueue();
  #flags = new Uint8Array(64);
  #isBusy = false;
  #isPumping = false;
  #isSettled = true;
  #isStopped = false;
  /** Of those that are leaving now, no way goes as a whole any more. */
  #areWaysGone = false;
  /** More removals follow: one message may take them all out, once all are known. */
  isLosing = false;
  removal: Removal = { blackholes: false, via: () => false };

  constructor(kernel: KernelPort, states: RouteStates, events: WriterEvents) {
    this.#kernel = kernel;
    this.#states = states;
    this.#events = events;
    this.#batch = new ChangeBatch(states.prefixes);
  }

  /** Nothing is under way: what RouteStates says is what the kernel holds. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#dirty.size === 0 && this.#leaving.size === 0;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** The kernel may be about to change the prefix's route, or have done so. */
  isUnderWay(id: number): boolean {
    return ((this.#flags[id] ?? 0) & UnderWay) !== 0;
  }

  /** The prefix's route may have to be another one. */
  mark(id: number): void {
    this.#enqueue(this.#dirty, id, Dirty);
  }

  /** Leaves the kernel as it is, for good. */
  stop(): void {
    this.#isStopped = true;
  }

  /** As pump(), and says when nothing is left to do also where nothing was. */
  review(): void {
    this.#isSettled = false;
    this.pump();
  }

  /** Goes on until the kernel has something to do that takes time, or nothing is left. */
  pump(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    while (!this.#isBusy && this.#next()) this.#isSettled = false;
    this.#isPumping = false;
    if (this.#isSettled || !this.isIdle) return;
    this.#isSettled = true;
    this.#events.onIdle();
  }

  /** Whether there was something to do. */
  #next(): boolean {
    this.#fillWithMarked();
    if (this.#batch.count === 0 && !this.isLosing) {
      if (this.#leaving.size >= MANY && !this.#areWaysGone) return this.#removeWays();
      this.#fillWithLeaving();
    }
    if (this.#leaving.size === 0) this.#areWaysGone = false;
    if (this.#batch.count === 0) return false;
    this.#submit();
    return true;
  }

  /** Removals are put off. */
  #fillWithMarked(): void {
    const states = this.#states;
    while (this.#dirty.size > 0 && this.#batch.count < BATCH) {
      const id = this.#dirty.shift();
      const kind = changeOf(states, id, this.removal);
      (this.#flags[id] as number) &= ~(Dirty | Leaving);
      if (kind === 'delete') this.#enqueue(this.#leaving, id, Leaving);
      else if (kind !== undefined) this.#begin(kind, id, states.wantedOf(id));
      states.prefixes.release(id);
    }
  }

  #fillWithLeaving(): void {
    while (this.#leaving.size > 0 && this.#batch.count < BATCH) {
      const id = this.#leaving.shift();
      if (this.#takeLeaving(id)) this.#begin('delete', id, this.#states.actualOf(id));
      this.#states.prefixes.release(id);
    }
  }

  /** Whether the route still has to go: without the mark, or by another plan, it is wanted again. */
  #takeLeaving(id: number): boolean {
    const isMarked = ((this.#flags[id] as number) & Leaving) !== 0;
    (this.#flags[id] as number) &= ~Leaving;
    return isMarked && changeOf(this.#states, id, this.removal) === 'delete';
  }

  #begin(kind: ChangeKind, id: number, target: KernelTarget | undefined): void {
    if (target === undefined) return;
    this.#batch.push(kind, id, target);
    this.#states.prefixes.retain(id);
    (this.#flags[id] as number) |= UnderWay;
  }

  #submit(): void {
    this.#isBusy = true;
    this.#kernel.apply(this.#batch, (failures) => {
      this.#finish(failures);
      this.#isBusy = false;
      this.pump();
    });
  }

  #finish(failures: readonly RouteFailure[]): void {
    const batch = this.#batch;
    const states = this.#states;
    const failed = new Map(failures.map((failure) => [failure.index, failure]));
    for (let index = 0; index < batch.count; index++) {
      const id = batch.idOf(index);
      const failure = failed.size === 0 ? undefined : failed.get(index);
      const isRemoval = batch.kindOf(index) === 'delete';
      // Already gone is what was wanted.
      const isDone = failure === undefined || (isRemoval && failure.code === 'ESRCH');
      if (isDone) this.#done(id, isRemoval ? undefined : batch.targetOf(index));
      else this.#events.onFailed(id, failure, batch.kindOf(index), batch.routeOf(index));
      (this.#flags[id] as number) &= ~UnderWay;
      states.prefixes.release(id);
    }
    batch.clear();
  }

  /** What the kernel holds now may not be what is wanted any more. */
  #done(id: number, target: KernelTarget | undefined): void {
    this.#states.found(id, target);
    this.#events.onDone(id);
    if (!this.#states.isRight(id)) this.mark(id);
  }

  /** Ways that all go are taken out whole; what is left then goes route by route. */
  #removeWays(): boolean {
    this.#isBusy = true;
    this.#gather(new Int32Array(this.#leaving.size), 0);
    return true;
  }

  /** @param from so many of `ids` have been gathered */
  #gather(ids: Int32Array, from: number): void {
    if (this.#isStopped) return;
    let count = from;
    for (let looked = 0; looked < TURN && this.#leaving.size > 0; looked++) {
      const id = this.#leaving.shift();
      if (!this.#takeLeaving(id)) {
        this.#states.prefixes.release(id);
        continue;
      }
      (this.#flags[id] as number) |= UnderWay;
      ids[count] = id;
      count += 1;
    }
    if (this.#leaving.size > 0) return this.#events.defer(() => this.#gather(ids, count));
    this.#kernel.removeWays(ids.subarray(0, count), (gone, isLast) => {
      for (const id of gone) {
        this.#done(id, undefined);
        (this.#flags[id] as number) &= ~UnderWay;
        this.#states.prefixes.release(id);
      }
      if (isLast) this.#waysAreGone(ids.subarray(0, count));
    });
  }

  #waysAreGone(ids: Int32Array): void {
    for (const id of ids) {
      if (((this.#flags[id] as number) & UnderWay) === 0) continue;
      (this.#flags[id] as number) &= ~UnderWay;
      this.#enqueue(this.#leaving, id, Leaving);
      this.#states.prefixes.release(id);
    }
    this.#areWaysGone = this.#leaving.size > 0;
    this.#isBusy = false;
    this.pump();
  }

  #enqueue(queue: IntQueue, id: number, flag: number): void {
    this.#flags = withRow(this.#flags, id);
    if (((this.#flags[id] as number) & flag) !== 0) return;
    (this.#flags[id] as number) |= flag;
    this.#states.prefixes.retain(id);
    queue.push(id);
  }
}
