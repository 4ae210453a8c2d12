// Very many requests without an object each: written into one buffer, handed over by one sendmmsg(2) on a
// thread of the runtime's pool. The kernel works inside of it, so the event loop goes on meanwhile, and what it
// submits then goes out as soon as the kernel is free.
import { type Answer, decodeAnswer } from './answer_codec.ts';
import { NetlinkError } from './errors.ts';
import type { Libc } from './libc.ts';
import { MessageCursor } from './message_reader.ts';
import { MessageWriter } from './message_writer.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import { cutIntoPieces, type Pieces } from './pieces.ts';
import { writeRequest } from './request_codec.ts';
import { type RouteTemplate, writeFromTemplate } from './route_template.ts';
import type { Batch, Request, RequestFailure } from './types.ts';
import { NLMSG } from './uapi.ts';

/** For the answers to a batch whose every request fails. */
const BUFFER_BYTES = 16 * 1024 * 1024;
const BUFFER_START = 16 * 1024;
/** Sockets of one process are told apart as libnl does it. */
const PORT_SHIFT = 2 ** 22;
const PORTS = 1 << 10;

/** Requests that the kernel is to carry out, and who is told what failed. */
type Submitted = {
  readonly writer: MessageWriter;
  /** Of what the writer holds. */
  readonly pieces: Pieces;
  /** Sequence number of the first; those of the others follow. */
  readonly first: number;
  readonly count: number;
  readonly done: (failures: readonly RequestFailure[]) => void;
};

export class RequestBatch implements Batch {
  readonly portId: number;
  readonly #socket: NetlinkSocket;
  readonly #words: [number, number, number, number] = [0, 0, 0, 0];
  #writer = new MessageWriter(BUFFER_START);
  readonly #spare: MessageWriter[] = [];
  /** The kernel works on the first; the others follow, each as soon as the one before is done. */
  readonly #submitted: Submitted[] = [];
  count = 0;
  #sequence = 0;
  #isClosed = false;

  constructor(libc: Libc) {
    [this.#socket, this.portId] = openSocket(libc);
  }

  get isBusy(): boolean {
    return this.#submitted.length > 0;
  }

  add(request: Request): void {
    writeRequest(this.#writer, request, this.#next());
  }

  addRoute(
    template: RouteTemplate,
    length: number,
    a: number,
    b: number,
    c: number,
    d: number,
  ): void {
    const words = this.#words;
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
    writeFromTemplate(this.#writer, template, this.#next(), length, words);
  }

  submit(done: (failures: readonly RequestFailure[]) => void): void {
    this.#submitted.push({ ...this.#take(), done });
    this.#writer = this.#spare.pop() ?? new MessageWriter(BUFFER_START);
    if (this.#submitted.length === 1) this.#sendFirst();
  }

  execute(): readonly RequestFailure[] {
    const taken = this.#take();
    let sent = 0;
    let failure: NetlinkError | undefined;
    try {
      for (const datagram of taken.pieces.datagrams) {
        this.#socket.send(datagram);
        sent += 1;
      }
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      failure = error;
    }
    const failures = this.#outcome(taken, sent, failure);
    taken.writer.reset();
    return failures;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.isBusy) this.#socket.close();
  }

  #sendFirst(): void {
    const [first] = this.#submitted;
    if (first === undefined) return;
    this.#socket.sendLater(first.pieces.datagrams, (sent, failure) => {
      const failures = this.#outcome(first, sent, failure);
      this.#submitted.shift();
      this.#spare.push(first.writer.reset());
      // First of all: the kernel waits for it.
      this.#sendFirst();
      first.done(failures);
      if (this.#isClosed && !this.isBusy) this.#socket.close();
    });
  }

  #next(): number {
    if (this.count === 0 && this.#sequence > 0x3fff_ffff) this.#sequence = 0;
    this.count += 1;
    this.#sequence += 1;
    return this.#sequence;
  }

  /**
   * What has been added. The kernel answers a request that failed in any case, one that succeeded only when
   * asked: the answer to the last of a piece says that all before it have been heard.
   */
  #take(): Omit<Submitted, 'done'> {
    const { count } = this;
    this.count = 0;
    const writer = this.#writer;
    const pieces = cutIntoPieces(writer.bytes);
    return { writer, pieces, first: this.#sequence - count + 1, count };
  }

  /**
   * Each answer says that what became of those before it is known: once one does not fit the buffer, none
   * comes until it has been emptied.
   * @param sent so many pieces the kernel has taken
   * @param refusal why it has not taken the others
   */
  #outcome(
    { first, count, pieces }: Omit<Submitted, 'done'>,
    sent: number,
    refusal: NetlinkError | undefined,
  ): RequestFailure[] {
    const failures: RequestFailure[] = [];
    const known = sent === 0 ? 0 : this.#collect(first, count, failures);
    const taken = pieces.ends[sent - 1] ?? 0;
    for (let index = known; index < count; index++) {
      const { code, message } = index < taken || refusal === undefined ? LOST : refusal;
      failures.push({ index, code, message });
    }
    return failures;
  }

  /** Of how many the outcome is known. */
  #collect(first: number, count: number, failures: RequestFailure[]): number {
    let known = 0;
    for (let received = this.#socket.receive(); received.kind !== 'empty'; ) {
      if (received.kind === 'datagram') {
        const message = new MessageCursor(received.bytes);
        while (message.next()) {
          const index = message.sequence - first;
          if (message.type !== NLMSG.ERROR || index < 0 || index >= count) continue;
          known = index + 1;
          const failure = failureOf(index, decodeAnswer(message));
          if (failure !== undefined) failures.push(failure);
        }
      }
      received = this.#socket.receive();
    }
    return known;
  }
}

const LOST = new NetlinkError(
  'ENOBUFS',
  'the answer was lost: whether it was carried out is unknown',
);

function failureOf(index: number, { code, message }: Answer): RequestFailure | undefined {
  return code === undefined ? undefined : { index, code, message };
}

function openSocket(libc: Libc): [NetlinkSocket, number] {
  for (let number = 1; ; number += 1) {
    const portId = (process.pid % PORT_SHIFT) + number * PORT_SHIFT;
    try {
      return [new NetlinkSocket(libc, { receiveBufferBytes: BUFFER_BYTES, portId }), portId];
    } catch (error) {
      const isTaken = error instanceof NetlinkError && error.code === 'EADDRINUSE';
      if (!isTaken || number === PORTS - 1) throw error;
    }
  }
}
