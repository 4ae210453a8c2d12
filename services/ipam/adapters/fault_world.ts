// Several ipam processes, nodes that assign and release, an operator and a fault at every await, in an
// order that a test chooses: every operation of every store waits until it is picked. What the clients
// were told is written down; at the end it must agree with the records.
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '@calico/clock';
import { StoreUnavailable, type Transaction } from '@calico/store';
import { attributeOf, isHeld } from '../core/block_algebra.ts';
import { inconsistencies } from '../core/consistency.ts';
import { IpamError } from '../core/ipam_error.ts';
import { ownershipFaults } from '../core/ownership.ts';
import { ownerKey, type WorkloadOwner } from '../core/programs/owner.ts';
import { parseBlock } from '../core/records/block.ts';
import { handleKey, nodeKey } from '../core/records/keys.ts';
import { assignRequest } from '../core/sample_requests.ts';
import type { RecordStore } from '../ports.ts';
import { AddressBook } from './address_book.ts';
import { type Fate, type Faults, FaultyStore } from './faulty_store.ts';
import { NodeRemover } from './node_remover.ts';
import { ProgramRunner } from './program_runner.ts';

const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/p';
const IPAM = '/calico/ipam/v2/';
const BLOCKS = `${IPAM}assignment/`;
const START = 1_790_000_000_000;
const MOST_TURNS = 2_000_000;
const PROCESSES = 2;
/** Four blocks of four addresses: scarce, so that everything is fought for. */
const POOL = { cidr: '10.0.0.0/28', blockSize: 30 };

/** Who held which address, in steps of the world. */
export type Held = {
  readonly workload: WorkloadOwner;
  readonly handleId: string;
  readonly address: string;
  readonly assigned: number;
  released: number;
};

export type Chooser = (count: number) => number;

/** Choices that a seed determines (mulberry32). */
export function chooserOf(seed: number): Chooser {
  let state = seed;
  return (count) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  };
}

export class FaultWorld implements Faults {
  readonly #store: RecordStore;
  readonly #choose: Chooser;
  readonly #books: readonly AddressBook[];
  readonly #removers: readonly NodeRemover[];
  /** Of the api, which writes endpoints. */
  readonly #endpoints: RecordStore;
  readonly #look: (() => ReadonlyMap<string, string> | undefined) | undefined;
  #waiting: (() => void)[] = [];
  #late: (() => Promise<unknown>)[] = [];
  #now = START;
  #steps = 0;
  readonly held: Held[] = [];

  /**
   * `choose(n)` answers 0 to n - 1; all chance comes from it. `look`: all records, if they changed since it
   * was called; owners are checked then.
   */
  constructor(
    store: RecordStore,
    choose: Chooser,
    look?: () => ReadonlyMap<string, string> | undefined,
  ) {
    this.#store = store;
    this.#choose = choose;
    this.#look = look;
    this.#endpoints = new FaultyStore(store, this);
    const processes = Array.from({ length: PROCESSES }, () => this.#process());
    this.#books = processes.map(({ book }) => book);
    this.#removers = processes.map(({ remover }) => remover);
  }

  #process(): { book: AddressBook; remover: NodeRemover } {
    const store = new FaultyStore(this.#store, this);
    const clock: Clock = {
      now: () => this.#now,
      monotonic: () => this.#now,
      setTimer: () => () => {},
      sleep: () => this.#pause(),
    };
    const random = (): number => this.#choose(100) / 100;
    const runner = new ProgramRunner({ store, clock, random });
    const book = new AddressBook(runner);
    return { book, remover: new NodeRemover(store, runner, book) };
  }

  async before(kind: 'read' | 'commit'): Promise<Fate> {
    await this.#pause();
    const draw = this.#choose(100);
    if (kind === 'read') return draw < 3 ? 'refused' : 'done';
    if (draw < 4) return 'refused';
    if (draw < 10) return 'answer-lost';
    return draw < 16 ? 'late' : 'done';
  }

  after(): Promise<void> {
    return this.#pause();
  }

  keep(effect: () => Promise<unknown>): void {
    this.#late.push(effect);
  }

  /** Plays `clients` nodes with `rounds` pods each, and an operator; then checks everything. */
  async play(clients: number, rounds: number): Promise<void> {
    await this.#put(POOL_KEY, { spec: POOL });
    const over = new AbortController();
    const playing = Promise.all([
      ...Array.from({ length: clients }, (_, number) => this.#client(number, rounds)),
      this.#operator(rounds),
    ]).finally(() => over.abort());
    playing.catch(() => {});
    for (let turn = 0; !over.signal.aborted; turn++) {
      assert.ok(turn < MOST_TURNS, 'the world stands still');
      await nextTurn();
      await this.#step();
    }
    await playing;
    while (this.#late.length > 0) await this.#late.shift()?.();
    await this.#check();
  }

  /** Lets one of those that wait go on. */
  async #step(): Promise<void> {
    this.#steps++;
    this.#now += this.#choose(5);
    if (this.#late.length > 0 && this.#choose(12) === 0) {
      await this.#late.splice(this.#choose(this.#late.length), 1)[0]?.();
    }
    const [go] = this.#waiting.splice(this.#choose(Math.max(1, this.#waiting.length)), 1);
    go?.();
    const changed = this.#look?.();
    if (changed !== undefined) assert.deepEqual(ownershipFaults(changed), []);
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #client(number: number, rounds: number): Promise<void> {
    const mine: Held[][] = [];
    for (let round = 0; round < rounds; round++) {
      const held = await this.#add(`${number}-${round}`, `n${this.#choose(3)}`);
      if (held.length > 0) mine.push(held);
      if (mine.length > 0 && this.#choose(2) === 0) {
        await this.#release(mine.splice(this.#choose(mine.length), 1)[0] ?? []);
      }
    }
    // Some are kept, so that the records have something to say.
    while (mine.length > 1) await this.#release(mine.pop() ?? []);
  }

  /** Assigns and has the endpoint written, or gives up as felix does: with a fence, and for good. */
  async #add(containerId: string, node: string): Promise<Held[]> {
    const handleId = `net.${containerId}`;
    const workload = { namespace: 'default', name: `${node}-k8s-${containerId}-eth0`, containerId };
    const request = { ...assignRequest(node, handleId, 1 + this.#choose(2)), workload };
    try {
      const { addresses } = await this.#any().autoAssign(request);
      await this.#writeEndpoint(
        node,
        workload,
        handleId,
        addresses.map(({ address }) => address),
      );
      const assigned = this.#steps;
      const held = addresses.map(({ address }) => ({
        workload,
        handleId,
        address,
        assigned,
        released: Number.POSITIVE_INFINITY,
      }));
      this.held.push(...held);
      return held;
    } catch (error) {
      expected(error);
      const leaving = { isFenced: true, owner: workload };
      await this.#insist((book) => book.releaseByHandle(handleId, leaving));
      return [];
    }
  }

  /** As the api does: only while the handle exists. What is late fails when that is gone. */
  async #writeEndpoint(
    node: string,
    workload: WorkloadOwner,
    handleId: string,
    addresses: readonly string[],
  ): Promise<void> {
    const handle = await this.#endpoints.get(handleKey(handleId));
    if (handle === undefined) throw declaredGone(handleId);
    const ipNetworks = addresses.map((address) => `${address}/32`);
    const spec = { node, containerID: workload.containerId, ipNetworks };
    const { kind } = await this.#endpoints.commit({
      compare: [{ key: handle.key, modRevision: handle.modRevision }],
      operations: [{ kind: 'put', key: ownerKey(workload), value: JSON.stringify({ spec }) }],
    });
    if (kind === 'conflict') throw declaredGone(handleId);
  }

  async #release(held: readonly Held[]): Promise<void> {
    const [first] = held;
    if (first === undefined) return;
    for (const one of held) one.released = this.#steps;
    const leaving = { owner: first.workload };
    await this.#insist((book) => book.releaseByHandle(first.handleId, leaving));
  }

  /** Nodes are declared gone and removed, blocks grow old, the pool is disabled, deleted and made again. */
  async #operator(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      await this.#pause();
      const draw = this.#choose(6);
      if (draw === 0) this.#now += 61_000;
      else if (draw === 1) await this.#putPool({ ...POOL, disabled: true });
      else if (draw === 2) await this.#deletePool();
      else if (draw === 3) await this.#removeNode(`n${this.#choose(3)}`);
      else {
        const node = `n${this.#choose(3)}`;
        await this.#insist((book) => book.releaseAffinity(node, undefined, false));
      }
      await this.#pause();
      await this.#putPool(POOL);
    }
  }

  /** Takes what no endpoint uses; it may fail on the way, or be refused under workloads. */
  async #removeNode(node: string): Promise<void> {
    const remover = this.#removers[this.#choose(this.#removers.length)];
    await this.#put(nodeKey(node), {});
    await remover?.remove(node).catch(expected);
  }

  /** Goes to another process until one succeeds. */
  async #insist(call: (book: AddressBook) => Promise<unknown>): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await call(this.#any());
        return;
      } catch (error) {
        expected(error);
        assert.ok(attempt < 1000, String(error));
      }
    }
  }

  #any(): AddressBook {
    return this.#books[this.#choose(this.#books.length)] as AddressBook;
  }

  async #putPool(spec: object): Promise<void> {
    await this.#put(POOL_KEY, { spec });
  }

  async #put(key: string, value: object): Promise<void> {
    const operations = [{ kind: 'put', key, value: JSON.stringify(value) }] as const;
    await this.#store.commit({ compare: [], operations });
  }

  /** As the api deletes a pool: only when no address is in use, and nothing changed since it looked. */
  async #deletePool(): Promise<void> {
    const { entries, revision } = await this.#store.list(BLOCKS);
    if (entries.some(({ key, value }) => holders(key, value).length > 0)) return;
    await this.#pause();
    const transaction: Transaction = {
      compare: entries.map(({ key, modRevision }) => ({ key, modRevision })),
      unchanged: [{ prefix: BLOCKS, since: revision }],
      operations: [{ kind: 'delete', key: POOL_KEY }],
    };
    const { kind } = await this.#store.commit(transaction);
    if (kind === 'conflict') return;
    // From here on nothing can be assigned.
    await this.#pause();
    const after = await this.#store.list(BLOCKS);
    assert.deepEqual(
      after.entries.flatMap(({ key, value }) => holders(key, value)),
      [],
      'an address of a deleted pool is in use',
    );
  }

  async #check(): Promise<void> {
    const { entries } = await this.#store.list(IPAM);
    const records = new Map(entries.map(({ key, value }) => [key, value]));
    assert.deepEqual(inconsistencies(records), []);
    const inUse = entries
      .filter(({ key }) => key.startsWith(BLOCKS))
      .flatMap(({ key, value }) => holders(key, value));
    const told = this.held
      .filter(({ released }) => released === Number.POSITIVE_INFINITY)
      .map(({ handleId }) => handleId);
    assert.deepEqual(inUse.toSorted(), told.toSorted(), 'what clients hold is what is assigned');
    assert.deepEqual(this.#doubleOwners(), []);
  }

  #doubleOwners(): string[] {
    return this.held.flatMap((one, index) =>
      this.held
        .slice(index + 1)
        .filter(
          (other) =>
            other.address === one.address &&
            other.assigned < one.released &&
            one.assigned < other.released,
        )
        .map((other) => `${one.address}: "${one.handleId}" and "${other.handleId}"`),
    );
  }
}

function declaredGone(handleId: string): IpamError {
  return new IpamError(
    'precondition',
    `Handle "${handleId}" was released: its node counts as gone`,
  );
}

/** The handle of every assigned address. */
function holders(key: string, value: string): string[] {
  const block = parseBlock(key, value);
  return [...block.allocations.keys()].flatMap((ordinal) => {
    const attribute = attributeOf(block, ordinal);
    return attribute !== undefined && isHeld(attribute) ? [attribute.handleId ?? ''] : [];
  });
}

/** Refusals, lost races and faults are part of the game; anything else is a bug. */
function expected(error: unknown): void {
  if (error instanceof StoreUnavailable) return;
  if (error instanceof IpamError && error.reason !== 'damaged') return;
  throw error;
}
