// Which program judges each interface, while it changes. A class is there as long as it has an interface.
import { classOf, type Dispatch } from '../compiler/dispatch.ts';
import type { LiveElements } from './live_elements.ts';
import type { RulesetStore } from './ruleset_store.ts';

export class LiveDispatch {
  readonly #store: RulesetStore;
  readonly #classes: LiveElements;
  readonly #map: LiveElements;
  /** How many interfaces each program judges. */
  readonly #users = new Map<string, number>();
  readonly #programOf = new Map<string, string>();

  /** `pin` answers the elements of a set that stays. */
  constructor(
    store: RulesetStore,
    { classes, map }: Dispatch,
    pin: (name: string) => LiveElements,
  ) {
    this.#store = store;
    this.#classes = pin(classes);
    this.#map = pin(map);
  }

  /** `program` undefined: none judges it any more. */
  point(interfaceName: string, program: string | undefined): void {
    const before = this.#programOf.get(interfaceName);
    if (before === program) return;
    if (program === undefined) {
      this.#programOf.delete(interfaceName);
      this.#classes.delete(interfaceName);
    } else {
      this.#programOf.set(interfaceName, program);
      this.#classes.set(interfaceName, `class ${classOf(program)}`);
      this.#use(program, 1);
    }
    if (before !== undefined) this.#use(before, -1);
  }

  #use(program: string, count: 1 | -1): void {
    const users = (this.#users.get(program) ?? 0) + count;
    if (users > 0) this.#users.set(program, users);
    else this.#users.delete(program);
    this.#store.point(this.#map, classOf(program), users > 0 ? `goto ${program}` : undefined);
  }
}
