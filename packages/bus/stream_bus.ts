// The bus over streams: typed subjects, bytes checked, nothing believed that is not what it claims.
import type { Clock } from '@calico/clock';
import type { Kind, ResourceKey } from '@calico/model';
import type { ResourceEvent } from '@calico/proto/events/v1/events';
import type { Bus, PublishOptions, ResourceMessage, StreamContents } from './bus.ts';
import { BusUnavailable, type MessageError } from './errors.ts';
import {
  decodeNodeReport,
  encodeNodeReport,
  type NodeReport,
  type NodeReportInit,
} from './node_report.ts';
import { type BusLogger, type PublishAck, STREAMS, type StreamPort } from './ports.ts';
import { type Answerer, answerNode, askNode } from './questions.ts';
import { ReportSender } from './report_sender.ts';
import { encodeResourceEvent, encodeSynced, type SyncedMarker } from './resource_message.ts';
import { orSkip, readContents, subscribeResources } from './resource_subscription.ts';
import { type NodeTopic, resourceSubject, SYNCED_SUBJECT } from './subjects.ts';
import { untilConnected } from './until_connected.ts';

export type StreamBusOptions = {
  readonly streams: StreamPort;
  readonly logger: BusLogger;
  readonly clock: Clock;
  readonly random: () => number;
};

// Skipped messages are logged one by one up to here, then only every so often.
const LOGGED_ONE_BY_ONE = 20;
const LOGGED_EVERY = 1_000;
const PAUSE_MS = 250;

export class StreamBus implements Bus {
  readonly #options: StreamBusOptions;
  readonly #closing = new AbortController();
  readonly #reports: ReportSender;
  #garbage = 0;

  constructor(options: StreamBusOptions) {
    this.#options = options;
    this.#reports = new ReportSender({ ...options, signal: this.#closing.signal });
  }

  get connected(): boolean {
    return this.#options.streams.connected;
  }

  get garbage(): number {
    return this.#garbage;
  }

  onStateChange(callback: (connected: boolean) => void): () => void {
    return this.#options.streams.onStateChange(callback);
  }

  resources(signal: AbortSignal): AsyncIterable<ResourceMessage> {
    const { streams, clock } = this.#options;
    return subscribeResources({
      streams,
      clock,
      signal: this.#until(signal),
      usable: this.#usable,
      skipped: this.#skipped,
    });
  }

  readResources(signal: AbortSignal): Promise<StreamContents> {
    const { streams } = this.#options;
    return readContents({ streams, signal: this.#until(signal), skipped: this.#skipped });
  }

  async publishResource(
    event: ResourceEvent,
    revision: bigint,
    options: PublishOptions = {},
  ): Promise<PublishAck> {
    const { node, etcdClusterId = '', expectedSequence } = options;
    const subject = resourceSubject(keyOfEvent(event), node);
    const data = encodeResourceEvent(event);
    const id = `${etcdClusterId}:${revision}:${subject}`;
    const ack = await this.#publish({ subject, data, id, expectedSequence });
    if (!ack.duplicate || expectedSequence === undefined) return ack;
    // The server knows the id. That is well if the message still is what the subject holds; if
    // something else came over it, or it was purged, it must be stored once more.
    const last = await this.#options.streams.last(STREAMS.resources, subject);
    if (last?.sequence === ack.sequence) return ack;
    return this.#publish({ subject, data, id: `${id}:${expectedSequence}`, expectedSequence });
  }

  publishSynced(marker: SyncedMarker, expectedSequence?: number): Promise<PublishAck> {
    return this.#publish({ subject: SYNCED_SUBJECT, data: encodeSynced(marker), expectedSequence });
  }

  purgeResource(subject: string, sequence: number): Promise<void> {
    return this.#options.streams.purge(STREAMS.resources, subject, sequence);
  }

  report<T extends NodeTopic>(node: string, topic: T, report: NodeReportInit<T>): void {
    const { subject, data } = encodeNodeReport(node, topic, report, this.#options.clock.now());
    this.#reports.set(subject, topic, data);
  }

  async *reports(signal: AbortSignal): AsyncIterable<NodeReport> {
    const { streams, clock } = this.#options;
    const until = this.#until(signal);
    while (!until.aborted) {
      try {
        await this.#usable(until);
        for await (const item of streams.follow(STREAMS.nodes, until)) {
          if (item.kind === 'caught-up') continue;
          const { subject, data, storedAt } = item.message;
          const report = orSkip(subject, this.#skipped, () =>
            decodeNodeReport(subject, data, storedAt),
          );
          if (report !== undefined) yield report;
        }
      } catch (cause) {
        if (until.aborted) return;
        if (!(cause instanceof BusUnavailable)) throw cause;
        await clock.sleep(PAUSE_MS, until).catch(() => {});
      }
    }
  }

  ask(node: string, question: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return askNode(this.#options.streams, node, question, request, timeoutMs);
  }

  answer(node: string, answerer: Answerer): () => void {
    return answerNode(this.#options.streams, node, answerer);
  }

  async close(): Promise<void> {
    this.#closing.abort(new BusUnavailable('Cannot use the bus: closed'));
    await this.#options.streams.close();
  }

  #publish(message: Parameters<StreamPort['publish']>[1]): Promise<PublishAck> {
    return this.#options.streams.publish(STREAMS.resources, message);
  }

  #until(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal]);
  }

  readonly #usable = (signal: AbortSignal): Promise<void> =>
    untilConnected(this.#options.streams, signal);

  readonly #skipped = (subject: string, cause: MessageError): void => {
    this.#garbage++;
    if (this.#garbage > LOGGED_ONE_BY_ONE && this.#garbage % LOGGED_EVERY !== 0) return;
    this.#options.logger.warn('Skipped a message that is not what its subject promises', {
      subject,
      reason: cause.message,
      skipped: this.#garbage,
    });
  };
}

function keyOfEvent({ event }: ResourceEvent): ResourceKey {
  const found = event.case === 'put' ? event.value : event.value?.key;
  if (found === undefined) throw new TypeError('Cannot publish an event without a resource');
  const { kind, namespace, name } = found;
  return { kind: kind as Kind, namespace, name };
}
