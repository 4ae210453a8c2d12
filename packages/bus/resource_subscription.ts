import type { Clock } from '@calico/clock';
import type { ResourceMessage, StreamContents, StreamedResource } from './bus.ts';
import { BusUnavailable, MessageError } from './errors.ts';
import { STREAMS, type StreamMessage, type StreamPort } from './ports.ts';
import { decodeResourceEvent, decodeSynced, type SyncedMarker } from './resource_message.ts';
import { SYNCED_SUBJECT } from './subjects.ts';

export type Subscription = {
  readonly streams: StreamPort;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Resolves when the streams can be used. */
  readonly usable: (signal: AbortSignal) => Promise<void>;
  readonly skipped: (subject: string, cause: MessageError) => void;
};

/** Whose revisions the reader has been given so far; a snapshot of another says so at its start. */
type KnownEtcd = { clusterId: string | undefined };

const PAUSE_MS = 250;

/** Bus.resources(): one snapshot after the other, each followed live until it is lost. */
export async function* subscribeResources(options: Subscription): AsyncIterable<ResourceMessage> {
  const { clock, signal, usable } = options;
  const etcd: KnownEtcd = { clusterId: undefined };
  let told = false;
  while (!signal.aborted) {
    try {
      await usable(signal);
      told = true;
      yield* oneSnapshot(options, etcd);
    } catch (cause) {
      if (signal.aborted) return;
      if (!(cause instanceof BusUnavailable)) throw cause;
      if (told) yield { kind: 'lost', reason: cause.message };
      told = false;
      await clock.sleep(PAUSE_MS, signal).catch(() => {});
    }
  }
}

async function* oneSnapshot(
  options: Subscription,
  etcd: KnownEtcd,
): AsyncIterable<ResourceMessage> {
  const { streams, signal, skipped } = options;
  const claim = await streams.last(STREAMS.resources, SYNCED_SUBJECT);
  let marker = claim === undefined ? undefined : readMarker(claim, skipped);
  yield { kind: 'snapshot-start', marker };
  etcd.clusterId = marker?.etcdClusterId ?? etcd.clusterId;
  let complete = false;
  marker = undefined;
  for await (const item of streams.follow(STREAMS.resources, signal)) {
    if (item.kind === 'caught-up') {
      complete = true;
      if (marker !== undefined) yield { kind: 'in-sync', marker };
    } else if (item.message.subject === SYNCED_SUBJECT) {
      const found = readMarker(item.message, skipped);
      if (found === undefined) continue;
      etcd.clusterId ??= found.etcdClusterId;
      if (etcd.clusterId !== found.etcdClusterId) {
        throw new BusUnavailable('Cannot go on with this snapshot: the stream is of another etcd');
      }
      marker = found;
      if (complete) yield { kind: 'in-sync', marker };
    } else {
      const state = readState(item.message, skipped);
      if (state !== undefined) yield state;
    }
  }
}

/** Bus.readResources(): everything stored now, and then no more. */
export async function readContents(
  options: Omit<Subscription, 'clock' | 'usable'>,
): Promise<StreamContents> {
  const { streams, signal, skipped } = options;
  const stop = new AbortController();
  const subjects = new Map<string, StreamedResource>();
  let marker: SyncedMarker | undefined;
  let markerSequence = 0;
  const items = streams.follow(STREAMS.resources, AbortSignal.any([signal, stop.signal]));
  for await (const item of items) {
    if (item.kind === 'caught-up') return { marker, markerSequence, subjects };
    const { subject, sequence, storedAt } = item.message;
    if (subject === SYNCED_SUBJECT) {
      marker = readMarker(item.message, skipped);
      markerSequence = sequence;
    } else {
      subjects.set(subject, { sequence, storedAt, state: readState(item.message, skipped) });
    }
  }
  throw new BusUnavailable('Cannot read the stream: stopped before its end');
}

function readMarker(
  message: StreamMessage,
  skipped: Subscription['skipped'],
): SyncedMarker | undefined {
  return orSkip(message.subject, skipped, () => decodeSynced(message.data));
}

function readState({ subject, data }: StreamMessage, skipped: Subscription['skipped']) {
  return orSkip(subject, skipped, () => decodeResourceEvent(subject, data));
}

export function orSkip<T>(
  subject: string,
  skipped: Subscription['skipped'],
  read: () => T,
): T | undefined {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof MessageError)) throw cause;
    skipped(subject, cause);
    return undefined;
  }
}
