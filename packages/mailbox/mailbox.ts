export class MailboxClosed extends Error {
  override readonly name = 'MailboxClosed';

  constructor() {
    super('Cannot send: the mailbox is closed');
  }
}

type Sender<T> = { readonly item: T; readonly accepted: () => void; readonly refused: () => void };
type Receiver<T> = (item: T | undefined) => void;

/**
 * A bounded queue between asynchronous parts. Senders wait while it is full (back-pressure), receivers
 * while it is empty; both in the order in which they came. Every waiting call takes an AbortSignal.
 */
export class Mailbox<T> implements AsyncIterable<T> {
  readonly capacity: number;
  readonly #items: T[] = [];
  readonly #senders = new Set<Sender<T>>();
  readonly #receivers = new Set<Receiver<T>>();
  #closed = false;

  /** @param capacity items that may wait in it, at least 1. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot make a mailbox for ${capacity} items: expected at least 1`);
    }
    this.capacity = capacity;
  }

  /** Items that wait for a receiver. */
  get size(): number {
    return this.#items.length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Puts an item in if there is room now; false when there is none or the mailbox is closed. */
  offer(item: T): boolean {
    if (this.#closed || this.#items.length >= this.capacity) return false;
    const [receiver] = this.#receivers;
    if (receiver === undefined) {
      this.#items.push(item);
    } else {
      this.#receivers.delete(receiver);
      receiver(item);
    }
    return true;
  }

  /** Resolves when the item is in. Throws MailboxClosed, or the signal's reason. */
  async send(item: T, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closed) throw new MailboxClosed();
    if (this.offer(item)) return;
    await waiting<void>(signal, (resolve, reject) => {
      const sender = { item, accepted: resolve, refused: () => reject(new MailboxClosed()) };
      this.#senders.add(sender);
      return () => this.#senders.delete(sender);
    });
  }

  /** The next item; undefined once the mailbox is closed and empty. Throws the signal's reason. */
  async receive(signal?: AbortSignal): Promise<T | undefined> {
    signal?.throwIfAborted();
    if (this.#items.length > 0) return this.#take();
    if (this.#closed) return undefined;
    return await waiting<T | undefined>(signal, (resolve) => {
      this.#receivers.add(resolve);
      return () => this.#receivers.delete(resolve);
    });
  }

  /** Refuses what is sent from now on; what is in it can still be received. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const sender of this.#senders) sender.refused();
    this.#senders.clear();
    for (const receiver of this.#receivers) receiver(undefined);
    this.#receivers.clear();
  }

  /** Everything until the mailbox is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      if (this.#items.length === 0) {
        const item = await this.receive();
        if (item === undefined && this.#closed) return;
        yield item as T;
      } else {
        yield this.#take() as T;
      }
    }
  }

  #take(): T | undefined {
    const item = this.#items.shift();
    const [sender] = this.#senders;
    if (sender !== undefined) {
      this.#senders.delete(sender);
      this.#items.push(sender.item);
      sender.accepted();
    }
    return item;
  }
}

/** A promise that `start` settles later; its answer undoes the waiting when the signal aborts first. */
function waiting<R>(
  signal: AbortSignal | undefined,
  start: (resolve: (value: R) => void, reject: (reason: unknown) => void) => () => void,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const settle = (): void => signal?.removeEventListener('abort', abort);
    const cancel = start(
      (value) => {
        settle();
        resolve(value);
      },
      (reason) => {
        settle();
        reject(reason);
      },
    );
    const abort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}
