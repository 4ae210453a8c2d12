// An operation as a pure program: it asks for what it has to know and ends with at most one
// transaction. Whoever runs it reads, commits, and starts it afresh when the transaction lost a race.
// So every interleaving of programs can be played through in a test, and nothing is half done.

export type Entry = {
  readonly key: string;
  readonly value: string;
  readonly modRevision: bigint;
  /** What the value says, where that is known already. */
  readonly content?: Content;
};

/** Something to be stored; its text is made when it is needed. */
export interface Content {
  readonly text: string;
}

/**
 * What a program rests on: unless it is a hint or a guess, the outcome may be used only if it is all
 * still so when the transaction commits. A runner may therefore answer from memory, and compare.
 */
export type Reads = {
  readonly keys?: readonly string[];
  /** Every entry under these. */
  readonly prefixes?: readonly string[];
  /** Of `keys`: those that most likely do not exist. */
  readonly presumedAbsent?: readonly string[];
  /** Read afresh, to look around; what becomes of it is compared by the draft alone. */
  readonly isHint?: true;
  /** As a hint, but from memory where it is there: for what most likely is still so. */
  readonly isGuess?: true;
};

/** What was read. Asking for something that was not requested is a programming error. */
export interface Known {
  get(key: string): Entry | undefined;
  list(prefix: string): readonly Entry[];
}

export type Operation =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string;
      readonly content?: Content;
    }
  | { readonly kind: 'delete'; readonly key: string };

export type Transaction = {
  readonly compare: readonly { readonly key: string; readonly modRevision: bigint }[];
  /** Prefixes under which nothing was created or changed after the revision. */
  readonly unchanged?: readonly { readonly prefix: string; readonly since: bigint }[];
  readonly operations: readonly Operation[];
};

export type Plan<T> = {
  readonly value: T;
  readonly transaction?: Transaction;
  /** The value where it depends on the revision at which the transaction committed. */
  readonly valueAt?: (revision: bigint) => T;
};

/** What a program answers whose transaction, if any, committed at the revision. */
export function outcomeOf<T>({ value, valueAt }: Plan<T>, revision: bigint): T {
  return valueAt === undefined ? value : valueAt(revision);
}

/** A part of a program that reads and answers something. */
export type Reading<T> = Generator<Reads, T, Known>;

export type Program<T> = Reading<Plan<T>>;

class LazyPut {
  readonly kind = 'put';
  readonly key: string;
  readonly content: Content;

  constructor(key: string, content: Content) {
    this.key = key;
    this.content = content;
  }

  get value(): string {
    return this.content.text;
  }
}

/** Collects the changes of one transaction; whatever is written is compared with what was read. */
export class Draft {
  readonly #compare = new Map<string, bigint>();
  readonly #operations = new Map<string, Operation>();

  /** The transaction fails unless the key is still as read. */
  expect(key: string, found: Entry | undefined): void {
    this.#compare.set(key, found?.modRevision ?? 0n);
  }

  put(key: string, found: Entry | undefined, value: string | Content): void {
    this.expect(key, found);
    this.#operations.set(
      key,
      typeof value === 'string' ? { kind: 'put', key, value } : new LazyPut(key, value),
    );
  }

  delete(key: string, found: Entry): void {
    this.expect(key, found);
    this.#operations.set(key, { kind: 'delete', key });
  }

  /** The transaction; undefined when nothing is to be written. */
  get transaction(): Transaction | undefined {
    if (this.#operations.size === 0) return undefined;
    return {
      compare: [...this.#compare].map(([key, modRevision]) => ({ key, modRevision })),
      operations: [...this.#operations.values()],
    };
  }
}

export function plan<T>(value: T, draft: Draft): Plan<T> {
  const { transaction } = draft;
  return transaction === undefined ? { value } : { value, transaction };
}
