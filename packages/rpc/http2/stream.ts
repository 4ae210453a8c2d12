// One exchange on a connection, and what its owner is told of it.
import type { Headers } from './header_decoder.ts';
import type { Header } from './header_table.ts';

export interface StreamOwner {
  /** At the begin of an answer, and after its data. */
  onHeaders(headers: Headers, isEnd: boolean): void;
  /** A part of what was read: to be copied by whoever keeps it long. */
  onData(bytes: Buffer, isEnd: boolean): void;
  /** It came with more headers than are looked at, and was taken back. Nothing follows. */
  onHeadersTooLong(): void;
  /** The other end took it back, or the connection is gone. Nothing follows. */
  onReset(code: number, error: Error | undefined): void;
}

/** What remains to be sent, when windows allow. */
export type Pending = {
  body: Uint8Array;
  /** Undefined: the data is the end. */
  readonly trailers: readonly Header[] | undefined;
};

export class Stream {
  readonly id: number;
  owner: StreamOwner | undefined;
  /** Bytes that the other end takes. */
  window: number;
  /** Bytes that it sent since we last allowed more. */
  received = 0;
  pending: Pending | undefined;
  hasSentEnd = false;
  hasReceivedEnd = false;

  constructor(id: number, window: number) {
    this.id = id;
    this.window = window;
  }
}
