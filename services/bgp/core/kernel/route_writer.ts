// From wanted to actual routes, a batch at a time: while the kernel works on one, changes gather for the
// next, each prefix once. A full batch is handed over early, so that the kernel goes on without a pause.
//
//   mark() --> dirty --> additions ----------------------> KernelPort.apply() --> RouteStates.found()
//                   \--> removals, until no loss goes on -->   "      , or removeWays()
import type { KernelPort, RouteFailure } from '../../ports.ts';
import { Later } from '../host/later.ts';
import type { Defer } from '../host/turns.ts';
import { IntQueue, withRow } from '../rib/columns.ts';
import { ChangeBatch } from './change_batch.ts';
import { type ChangeKind, changeOf, type Removal } from './changes.ts';
import type { RouteStates } from './route_states.ts';
import type { KernelRoute, KernelTarget } from './types.ts';

/**
 * Changes that the kernel is given at a time: it takes some 20 ms for so many, the event loop 5. When it is done it waits
 * for the loop's turn to end, so smaller ones would cost it time.
 */
const BATCH = 16_384;
/** Batches that the kernel works on or is to work on next. Each longer than a turn of the event loop. */
const DEPTH = 2;
/** From so many removals on it is worth asking whether all routes through a next hop go. */
const MANY = 512;
/** Routes that are looked at at a time: a millisecond or two. */
const SLICE = 32_768;

const Dirty = 1;
const Leaving = 2;
/** In a batch, or in a way that is being removed. */
const UnderWay = 4;
/** To be looked at when what is under way is done. */
const Again = 8;

export type WriterEvents = {
  /** Calls back when others have had their turn. */
  readonly defer: Defer;
  /** What is wanted of the prefix is not known: its route stays, and is marked again once it is. */
  readonly isOpen: (id: number) => boolean;
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
  readonly #later: Later;
  /** Empty but while it is filled: what is in a batch can change no more. */
  #batch: ChangeBatch;
  readonly #spare: ChangeBatch[] = [];
  /** Prefixes that are to be looked at, and those whose routes are to be removed: held. */
  readonly #dirty = new IntQueue();
  readonly #leaving = new IntQueue();
  #flags = new Uint8Array(64);
  /** Batches that the kernel has not done, or whose outcome is not known here. */
  #underWay = 0;
  #isRemovingWays = false;
  #isPumping = false;
  #isSettled = true;
  #isStopped = false;
  /** Of those that are leaving now, no way goes as a whole any more. */
  #areWaysGone = false;
  /** More removals follow: one message may take them all out, once all are known. */
  isLosing = false;
  /** As isLosing, while everything is looked at. */
  isMarking = false;
  removal: Removal = { blackholes: false, via: () => false };

  constructor(kernel: KernelPort, states: RouteStates, events: WriterEvents) {
    this.#kernel = kernel;
    this.#states = states;
    this.#events = events;
    this.#batch = new ChangeBatch(states.prefixes);
    this.#later = new Later(events.defer, () => this.pump());
  }

  /** Nothing is under way: what RouteStates says is what the kernel holds. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#dirty.size + this.#leaving.size === 0;
  }

  get #isBusy(): boolean {
    return this.#isRemovingWays || this.#underWay > 0;
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
    while (this.#next()) this.#isSettled = false;
    this.#isPumping = false;
    if (this.#isSettled || !this.isIdle) return;
    this.#isSettled = true;
    this.#events.onIdle();
  }

  /** Whether the kernel has got something to do. */
  #next(): boolean {
    if (this.#isRemovingWays || this.#underWay === DEPTH) return false;
    // A kernel that works can wait for a full batch: until then each prefix may change once more.
    if (this.#underWay > 0 && this.#waiting < BATCH) return false;
    this.#fillWithMarked();
    if (this.#dirty.size > 0 && this.#batch.count < BATCH) {
      this.#later.ask();
      return false;
    }
    if (this.#batch.count === 0 && !this.#isHolding) {
      const isAsked = this.#leaving.size >= MANY && !this.#areWaysGone;
      if (isAsked) return this.#underWay === 0 && this.#removeWays();
      this.#fillWithLeaving();
    }
    if (this.#leaving.size === 0) this.#areWaysGone = false;
    if (this.#batch.count === 0) return false;
    this.#submit();
    return true;
  }

  /** Prefixes that the next batch would take up: removals come last, and while a loss goes on not at all. */
  get #waiting(): number {
    return this.#dirty.size > 0 || this.#isHolding ? this.#dirty.size : this.#leaving.size;
  }

  get #isHolding(): boolean {
    return this.isLosing || this.isMarking;
  }

  /** Removals are put off. What is left when the batch is not full is to be looked at in another turn. */
  #fillWithMarked(): void {
    const states = this.#states;
    for (let looked = 0; looked < SLICE && this.#batch.count < BATCH; looked++) {
      if (this.#dirty.size === 0) return;
      const id = this.#dirty.shift();
      (this.#flags[id] as number) &= ~(Dirty | Leaving);
      const isUnderWay = this.isUnderWay(id);
      const kind = isUnderWay ? undefined : this.#changeOf(id);
      if (isUnderWay) (this.#flags[id] as number) |= Again;
      else if (kind === 'delete') this.#enqueue(this.#leaving, id, Leaving);
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
    return isMarked && this.#changeOf(id) === 'delete';
  }

  #changeOf(id: number): ChangeKind | undefined {
    const kind = changeOf(this.#states, id, this.removal);
    return kind === 'delete' && this.#events.isOpen(id) ? undefined : kind;
  }

  #begin(kind: ChangeKind, id: number, target: KernelTarget | undefined): void {
    if (target === undefined) return;
    this.#batch.push(kind, id, target);
    this.#states.prefixes.retain(id);
    (this.#flags[id] as number) |= UnderWay;
  }

  #submit(): void {
    const batch = this.#batch;
    this.#batch = this.#spare.pop() ?? new ChangeBatch(this.#states.prefixes);
    this.#underWay += 1;
    this.#kernel.apply(batch, (failures) => {
      // First of all: the kernel waits for it. It may be done at once, before what this batch did is known.
      if (this.#underWay === 1 && !this.#isStopped) this.#submitMarked();
      this.#finish(batch, failures);
      this.#underWay -= 1;
      this.pump();
    });
  }

  #submitMarked(): void {
    this.#fillWithMarked();
    if (this.#batch.count > 0) this.#submit();
  }

  #finish(batch: ChangeBatch, failures: readonly RouteFailure[]): void {
    const failed = new Map(failures.map((failure) => [failure.index, failure]));
    for (let index = 0; index < batch.count; index++) {
      const id = batch.idOf(index);
      const failure = failed.size === 0 ? undefined : failed.get(index);
      const isRemoval = batch.kindOf(index) === 'delete';
      // Already gone is what was wanted.
      const isDone = failure === undefined || (isRemoval && failure.code === 'ESRCH');
      if (isDone) this.#done(id, isRemoval ? undefined : batch.targetOf(index));
      else this.#events.onFailed(id, failure, batch.kindOf(index), batch.routeOf(index));
      this.#end(id);
    }
    batch.clear();
    this.#spare.push(batch);
  }

  /** Nothing of the prefix is under way any more. */
  #end(id: number): void {
    const isAgain = ((this.#flags[id] as number) & Again) !== 0;
    (this.#flags[id] as number) &= ~(UnderWay | Again);
    if (isAgain) this.mark(id);
    this.#states.prefixes.release(id);
  }

  /** What the kernel holds now may not be what is wanted any more. */
  #done(id: number, target: KernelTarget | undefined): void {
    this.#states.found(id, target);
    this.#events.onDone(id);
    if (!this.#states.isRight(id)) this.mark(id);
  }

  /** Ways that all go are taken out whole; what is left then goes route by route. */
  #removeWays(): boolean {
    this.#isRemovingWays = true;
    this.#gather(new Int32Array(this.#leaving.size), 0);
    return true;
  }

  /** @param from so many of `ids` have been gathered */
  #gather(ids: Int32Array, from: number): void {
    if (this.#isStopped) return;
    let count = from;
    for (let looked = 0; looked < SLICE && this.#leaving.size > 0; looked++) {
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
        this.#end(id);
      }
      if (isLast) this.#waysAreGone(ids.subarray(0, count));
    });
  }

  #waysAreGone(ids: Int32Array): void {
    for (const id of ids.subarray(0, SLICE)) {
      if (((this.#flags[id] as number) & UnderWay) === 0) continue;
      this.#enqueue(this.#leaving, id, Leaving);
      this.#end(id);
    }
    if (ids.length > SLICE) return this.#events.defer(() => this.#waysAreGone(ids.subarray(SLICE)));
    this.#areWaysGone = this.#leaving.size > 0;
    this.#isRemovingWays = false;
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
