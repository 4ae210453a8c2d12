// What the bus needs from outside, as interfaces: NATS JetStream in production, a broker in memory in tests.

/** Where the bus says what happens to it. @calico/telemetry's Logger is one. */
export interface BusLogger {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export const STREAMS = {
  /** Resources as etcd has them, and the relay's marker. Kept in files. */
  resources: 'CALICO_RESOURCES',
  /** What nodes report of themselves. Kept in memory. */
  nodes: 'CALICO_NODES',
} as const;

export type StreamName = (typeof STREAMS)[keyof typeof STREAMS];

/** Request and reply. */
export interface RequestPort {
  /** Rejects with BusUnavailable when nobody answers in time. */
  request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Answers requests on subjects that match, whenever the server is there; the result ends that. */
  serve(
    subject: string,
    answer: (subject: string, data: Uint8Array) => Promise<Uint8Array>,
  ): () => void;
}

/** Streams that keep the last message of every subject. */
export interface StreamPort extends RequestPort {
  /** True while the server answers and both streams exist. */
  readonly connected: boolean;
  /** Calls back with every change of `connected`; the answer ends that. */
  onStateChange(callback: (connected: boolean) => void): () => void;
  /**
   * Resolves when the server has stored the message. Rejects with SequenceConflict when the subject's
   * last message is not the expected one, with BusUnavailable when no answer came (it may have been
   * stored all the same).
   */
  publish(stream: StreamName, message: OutgoingMessage): Promise<PublishAck>;
  /** The last message of one subject. */
  last(stream: StreamName, subject: string): Promise<StreamMessage | undefined>;
  /**
   * The last message of every subject, then `caught-up` once, then what comes, each message once and
   * in order. Throws BusUnavailable when a message may have been missed: the caller starts again.
   */
  follow(stream: StreamName, signal: AbortSignal): AsyncIterable<StreamItem>;
  /** Removes the messages of one subject up to and including `sequence`. */
  purge(stream: StreamName, subject: string, sequence: number): Promise<void>;
  close(): Promise<void>;
}

export type OutgoingMessage = {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Two messages of one id within two minutes are stored once. */
  readonly id?: string | undefined;
  /** Store only when the subject's last message has this sequence; 0: only when it has none. */
  readonly expectedSequence?: number | undefined;
};

export type PublishAck = {
  /** Place in the stream; of the earlier message when `duplicate`. */
  readonly sequence: number;
  readonly duplicate: boolean;
};

export type StreamMessage = {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly sequence: number;
  /** When the server stored it, milliseconds since the Unix epoch by the server's clock. */
  readonly storedAt: number;
};

export type StreamItem =
  | { readonly kind: 'message'; readonly message: StreamMessage }
  /** Everything stored up to now has been given. */
  | { readonly kind: 'caught-up' };
