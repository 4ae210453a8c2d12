import type { ResourceEvent } from '@calico/proto/events/v1/events';
import type { NodeReport, NodeReportInit } from './node_report.ts';
import type { PublishAck } from './ports.ts';
import type { Answerer } from './questions.ts';
import type { ResourceState, SyncedMarker } from './resource_message.ts';
import type { NodeTopic } from './subjects.ts';

/** NATS behind typed subjects. Works for ever: NATS may be absent at start, go and come back. */
export interface Bus {
  /** True while NATS answers and the streams exist. */
  readonly connected: boolean;
  /** Calls back with every change of `connected`; the answer ends that. */
  onStateChange(callback: (connected: boolean) => void): () => void;
  /** How many messages were skipped because they did not hold what their subject promises. */
  readonly garbage: number;

  /**
   * The cluster's resources for ever: a snapshot, `in-sync`, then changes; a new snapshot after every
   * loss of the connection. Ends when `signal` is aborted. Never throws.
   */
  resources(signal: AbortSignal): AsyncIterable<ResourceMessage>;

  /** What the stream holds now, for the relay. Throws BusUnavailable. */
  readResources(signal: AbortSignal): Promise<StreamContents>;
  /** Resolves when stored. Throws SequenceConflict, BusUnavailable, SubjectError. */
  publishResource(
    event: ResourceEvent,
    revision: bigint,
    options?: PublishOptions,
  ): Promise<PublishAck>;
  /** Says that the stream holds everything up to the revision. Throws as publishResource(). */
  publishSynced(marker: SyncedMarker, expectedSequence?: number): Promise<PublishAck>;
  /** Forgets what a subject holds up to and including the sequence. Throws BusUnavailable. */
  purgeResource(subject: string, sequence: number): Promise<void>;

  /**
   * Reports something about this node. The last value per subject is kept, sent as soon as NATS is
   * there, again after every reconnect, and as a heartbeat. Never throws for want of NATS.
   */
  report<T extends NodeTopic>(node: string, topic: T, report: NodeReportInit<T>): void;
  /** What nodes report: the last report of each, then what comes. Never throws. */
  reports(signal: AbortSignal): AsyncIterable<NodeReport>;

  /**
   * Asks a node and resolves with the bytes of its response. Rejects with NodeRefused when it refuses, with
   * BusUnavailable when NATS is away or no answer came in time.
   */
  ask(node: string, question: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Answers questions to this node, again after every reconnect; the result ends that. */
  answer(node: string, answerer: Answerer): () => void;

  close(): Promise<void>;
}

export type ResourceMessage =
  /** A snapshot follows. `marker`: what the stream claimed to hold just before; undefined: nothing. */
  | { readonly kind: 'snapshot-start'; readonly marker: SyncedMarker | undefined }
  | ResourceState
  /** Everything up to the marker's revision has been given; first after a snapshot, then as progress. */
  | { readonly kind: 'in-sync'; readonly marker: SyncedMarker }
  /** Changes may be missing from here on, until the next `in-sync`. */
  | { readonly kind: 'lost'; readonly reason: string };

export type PublishOptions = {
  /** Node of the WorkloadEndpoint. */
  readonly node?: string | undefined;
  /** Keeps revisions of different etcd clusters apart when duplicates are looked for. */
  readonly etcdClusterId?: string | undefined;
  /** Publish only over the message with this sequence; 0: only when the subject has none. */
  readonly expectedSequence?: number | undefined;
};

export type StreamContents = {
  readonly marker: SyncedMarker | undefined;
  /** Sequence of the message on the marker's subject; 0: none. */
  readonly markerSequence: number;
  /** By subject. */
  readonly subjects: ReadonlyMap<string, StreamedResource>;
};

export type StreamedResource = {
  readonly sequence: number;
  readonly storedAt: number;
  /** Undefined: garbage. */
  readonly state: ResourceState | undefined;
};
