// What the kernel holds and what it should hold, by the numbers of the routing table's prefixes. A way
// that routes take is held once, however many take it.
import { roomOf, withRow } from '../rib/columns.ts';
import type { PrefixTable } from '../rib/prefix_table.ts';
import { type KernelRoute, type KernelTarget, targetText } from './types.ts';

const NONE = 0;

export class RouteStates {
  readonly prefixes: PrefixTable;
  readonly #targets: (KernelTarget | undefined)[] = [undefined];
  readonly #numbers = new Map<string, number>();
  /** Rows of #targets. */
  #wanted = new Int32Array(64);
  #actual = new Int32Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  #size = 0;
  /** Number that was asked for last. */
  #last = NONE;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  /** Routes in the kernel. */
  get size(): number {
    return this.#size;
  }

  /** All prefixes with a state are below. */
  get limit(): number {
    return Math.min(this.#room, this.prefixes.limit);
  }

  wantedOf(id: number): KernelTarget | undefined {
    return this.#targets[this.#wanted[id] ?? NONE];
  }

  actualOf(id: number): KernelTarget | undefined {
    return this.#targets[this.#actual[id] ?? NONE];
  }

  isRight(id: number): boolean {
    return this.#wanted[id] === this.#actual[id];
  }

  routeOf(id: number, { type, hops }: KernelTarget): KernelRoute {
    return { prefix: this.prefixes.prefixOf(id), type, hops };
  }

  /** The same object for the same way. */
  intern(target: KernelTarget): KernelTarget {
    return this.#targets[this.#numberOf(target)] as KernelTarget;
  }

  want(id: number, target: KernelTarget | undefined): void {
    this.#makeRoom(id);
    const next = target === undefined ? NONE : this.#numberOf(target);
    const before = this.#wanted[id] as number;
    // Columns of zeros cost nothing as long as they are not written, see withRow().
    if (next === before) return;
    this.#wanted[id] = next;
    this.#hold(id, before, next);
  }

  /** What the kernel holds now. */
  found(id: number, target: KernelTarget | undefined): void {
    this.#makeRoom(id);
    const next = target === undefined ? NONE : this.#numberOf(target);
    const before = this.#actual[id] as number;
    this.#actual[id] = next;
    this.#size += Number(next !== NONE) - Number(before !== NONE);
    this.#hold(id, before, next);
  }

  /** The prefix stays as long as something is known of it here. */
  #hold(id: number, before: number, next: number): void {
    if (before === NONE && next !== NONE) this.prefixes.retain(id);
    if (before !== NONE && next === NONE) this.prefixes.release(id);
  }

  #numberOf(target: KernelTarget): number {
    if (target.hops === this.#targets[this.#last]?.hops && target.hops.length > 0)
      return this.#last;
    const text = targetText(target);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#targets.push({ type: target.type, hops: target.hops }) - 1;
      this.#numbers.set(text, number);
    }
    this.#last = number;
    return number;
  }

  #makeRoom(id: number): void {
    if (id < this.#room) return;
    this.#wanted = withRow(this.#wanted, id);
    this.#actual = withRow(this.#actual, id);
    this.#room = roomOf(this.#wanted, this.#actual);
  }
}
