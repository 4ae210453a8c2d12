// Changes of kernel routes on their way to the kernel: columns instead of an object per route.
import type { PrefixTable } from '../rib/prefix_table.ts';
import type { ChangeKind } from './changes.ts';
import type { KernelRoute, KernelTarget } from './types.ts';

export class ChangeBatch {
  readonly prefixes: PrefixTable;
  /** As long as they have ever been: an array that is emptied gets its memory anew. */
  readonly #kinds: ChangeKind[] = [];
  readonly #ids: number[] = [];
  readonly #targets: KernelTarget[] = [];
  #count = 0;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * @param id number of the prefix
   * @param target what the kernel holds in the end; of a removal, what it holds before
   */
  push(kind: ChangeKind, id: number, target: KernelTarget): void {
    this.#kinds[this.#count] = kind;
    this.#ids[this.#count] = id;
    this.#targets[this.#count] = target;
    this.#count += 1;
  }

  clear(): void {
    this.#count = 0;
  }

  kindOf(index: number): ChangeKind {
    return this.#kinds[index] as ChangeKind;
  }

  idOf(index: number): number {
    return this.#ids[index] as number;
  }

  targetOf(index: number): KernelTarget {
    return this.#targets[index] as KernelTarget;
  }

  /** As people read it. */
  routeOf(index: number): KernelRoute {
    const { type, hops } = this.targetOf(index);
    return { prefix: this.prefixes.prefixOf(this.idOf(index)), type, hops };
  }
}
