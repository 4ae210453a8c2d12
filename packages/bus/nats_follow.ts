import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { BusUnavailable } from './errors.ts';
import { StreamGone } from './nats_errors.ts';
import type { StreamItem, StreamName } from './ports.ts';

const NANOSECONDS_PER_MILLISECOND = 1_000_000;
const INACTIVE_MS = 30_000;
// Messages asked for ahead of the reader: the bound of the client's buffer.
const AHEAD = 512;
const HEARTBEAT_MS = 3_000;

/** Notifications after which the consumer delivers nothing more. */
const GONE: ReadonlySet<string> = new Set([
  'consumer_deleted',
  'consumer_not_found',
  'stream_not_found',
  'no_responders',
]);

type FollowOptions = {
  readonly manager: JetStreamManager;
  readonly connection: NatsConnection;
  readonly stream: StreamName;
  readonly signal: AbortSignal;
};

/** StreamPort.follow() on one connection. Throws when the connection, stream or consumer is lost. */
export async function* followStream(options: FollowOptions): AsyncIterable<StreamItem> {
  const { manager, connection, stream, signal } = options;
  if (signal.aborted) return;
  const { state } = await manager.streams.info(stream);
  const info = await manager.consumers.add(stream, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subject: 'calico.>',
    inactive_threshold: INACTIVE_MS * NANOSECONDS_PER_MILLISECOND,
    mem_storage: true,
    num_replicas: 1,
  });
  const consumer = manager.jetstream().consumers.getConsumerFromInfo(info);
  const messages = await consumer.consume({
    max_messages: AHEAD,
    idle_heartbeat: HEARTBEAT_MS,
    abort_on_missing_resource: true,
  });
  const watch = new FollowWatch(messages, connection, signal);
  try {
    yield* inOrder(messages, info.num_pending === 0 ? 0 : state.last_seq);
    if (!signal.aborted) throw watch.failure();
  } finally {
    watch.end();
    messages.stop();
    if (!connection.isClosed()) {
      await manager.consumers.delete(stream, info.name).catch(() => {
        // The server forgets an unused consumer by itself.
      });
    }
  }
}

/** `lastAtStart`: sequence of the last message that was there before the consumer; 0: none was. */
async function* inOrder(
  messages: ConsumerMessages,
  lastAtStart: number,
): AsyncIterable<StreamItem> {
  let caughtUp = lastAtStart === 0;
  if (caughtUp) yield { kind: 'caught-up' };
  let delivered = 0;
  let last = 0;
  for await (const message of messages) {
    const { deliverySequence, pending } = message.info;
    if (deliverySequence !== delivered + 1) {
      throw new BusUnavailable(
        `Cannot follow: message ${deliverySequence} came after message ${delivered}`,
      );
    }
    delivered = deliverySequence;
    // What is stored while the server makes the consumer (2.9) comes both among the last per subject
    // and after them; otherwise sequences only ascend.
    if (message.seq > last) {
      last = message.seq;
      yield { kind: 'message', message: toStreamMessage(message) };
    }
    // The server (2.9) goes on counting as pending what was replaced while it made the consumer. All
    // that was there at the start has come, or was replaced, when something as new has come.
    if (!caughtUp && (pending === 0 || message.seq >= lastAtStart)) {
      caughtUp = true;
      yield { kind: 'caught-up' };
    }
  }
}

function toStreamMessage(message: JsMsg): Extract<StreamItem, { kind: 'message' }>['message'] {
  return {
    subject: message.subject,
    data: message.data,
    sequence: message.seq,
    storedAt: Math.floor(message.info.timestampNanos / NANOSECONDS_PER_MILLISECOND),
  };
}

/** Stops the messages when something happens after which they may not be complete. */
class FollowWatch {
  readonly #messages: ConsumerMessages;
  readonly #signal: AbortSignal;
  #failure: Error | undefined;
  #ended = false;

  constructor(messages: ConsumerMessages, connection: NatsConnection, signal: AbortSignal) {
    this.#messages = messages;
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort, { once: true });
    if (signal.aborted) this.#abort();
    void this.#connectionLost(connection);
    void this.#notifications();
  }

  failure(): Error {
    return this.#failure ?? new BusUnavailable('Cannot follow: the consumer ended');
  }

  end(): void {
    this.#ended = true;
    this.#signal.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.#messages.stop();

  #fail(failure: Error): void {
    if (this.#ended) return;
    this.#failure ??= failure;
    this.#messages.stop();
  }

  async #connectionLost(connection: NatsConnection): Promise<void> {
    await connection.closed();
    this.#fail(new BusUnavailable('Cannot follow: the connection is lost'));
  }

  async #notifications(): Promise<void> {
    for await (const { type } of this.#messages.status()) {
      if (GONE.has(type)) {
        this.#fail(new StreamGone(`Cannot follow: ${type.replaceAll('_', ' ')}`));
      } else if (type === 'heartbeats_missed') {
        this.#fail(new BusUnavailable('Cannot follow: the server has fallen silent'));
      }
    }
  }
}
