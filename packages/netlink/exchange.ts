// Requests and their answers over one socket: dumps, single questions, batches.
import { type Answer, decodeAnswer, decodeDumpEnd } from './answer_codec.ts';
import { NetlinkError } from './errors.ts';
import { MessageCursor } from './message_reader.ts';
import { MessageWriter } from './message_writer.ts';
import type { NetlinkSocket } from './netlink_socket.ts';
import { NLM_F, NLMSG } from './uapi.ts';

const ATTEMPTS = 10;
/** The kernel answers inside send(2); a read that finds nothing there waits this long before it asks again. */
const ANSWER_MS = 100;
/** Keeps the answers of a batch whose every request fails well inside the receive buffer. */
const BATCH_REQUESTS = 256;

export type BatchFailure = {
  readonly index: number;
  readonly code: string;
  readonly message: string;
};

type Conversation = { readonly ended: Answer | undefined; readonly isInterrupted: boolean };

export class Exchange {
  readonly #socket: NetlinkSocket;
  readonly #writer = new MessageWriter(64 * 1024);
  #sequence = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /**
   * Dumps a table; `read` sees every message. When the table changed meanwhile (NLM_F_DUMP_INTR) or the
   * receive buffer overflowed, starts over.
   * Throws NetlinkError (the kernel's refusal; after ten attempts EINTR, or ETIMEDOUT when none was interrupted, but
   * left without an end) and NetlinkDecodeError.
   */
  dump<T>(
    what: string,
    type: number,
    write: (writer: MessageWriter) => void,
    read: (message: MessageCursor) => T | undefined,
  ): T[] {
    let wasInterrupted = false;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found: T[] = [];
      const sequence = this.#ask(type, NLM_F.REQUEST | NLM_F.DUMP, write);
      const { ended, isInterrupted } = this.#listen(sequence, (message) => {
        const value = read(message);
        if (value !== undefined) found.push(value);
      });
      if (ended?.code !== undefined) throw refusal(`list ${what}`, ended);
      if (ended !== undefined && !isInterrupted) return found;
      wasInterrupted ||= isInterrupted;
    }
    if (!wasInterrupted) throw unanswered(`list ${what}`);
    throw new NetlinkError(
      'EINTR',
      `Cannot list ${what}: changed during each of ${ATTEMPTS} attempts`,
    );
  }

  /** One question with one answer. Throws NetlinkError: the kernel's refusal, or ETIMEDOUT when it said nothing. */
  get<T>(
    what: string,
    type: number,
    write: (writer: MessageWriter) => void,
    read: (message: MessageCursor) => T | undefined,
  ): T | undefined {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found: T[] = [];
      const sequence = this.#ask(type, NLM_F.REQUEST | NLM_F.ACK, write);
      const { ended } = this.#listen(sequence, (message) => {
        const value = read(message);
        if (value !== undefined) found.push(value);
      });
      if (ended?.code !== undefined) throw refusal(`get ${what}`, ended);
      if (ended !== undefined) return found[0];
    }
    throw unanswered(`get ${what}`);
  }

  /**
   * Carries `count` requests out in order; `write` appends the message of request `index`. They are sent once: without
   * an answer to the last of a part, all of it that no answer names are ENOBUFS.
   */
  batch(
    count: number,
    write: (writer: MessageWriter, index: number, sequence: number) => void,
  ): BatchFailure[] {
    const failures: BatchFailure[] = [];
    for (let first = 0; first < count; first += BATCH_REQUESTS) {
      this.#batchPart(first, Math.min(count, first + BATCH_REQUESTS), write, failures);
    }
    return failures;
  }

  // The kernel answers a request that failed in any case, one that succeeded only when asked: so only the
  // last of a part asks, and its answer says that all others have been heard.
  #batchPart(
    first: number,
    end: number,
    write: (writer: MessageWriter, index: number, sequence: number) => void,
    failures: BatchFailure[],
  ): void {
    const base = this.#sequence + 1;
    const size = end - first;
    this.#sequence = (this.#sequence + size) % 0x7fffffff;
    const writer = this.#writer.reset();
    for (let i = 0; i < size; i += 1) write(writer, first + i, base + i);
    writer.addFlags(NLM_F.ACK);
    const answers = new Map<number, Answer>();
    let isComplete = false;
    try {
      this.#socket.send(writer.bytes);
      isComplete = this.#collect(base, size, answers);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      answers.clear();
      for (let i = 0; i < size; i += 1) {
        answers.set(base + i, { code: error.code, message: error.message });
      }
      isComplete = true;
    }
    for (let i = 0; i < size; i += 1) {
      const answer = answers.get(base + i) ?? (isComplete ? undefined : LOST);
      if (answer?.code !== undefined) {
        failures.push({ index: first + i, code: answer.code, message: answer.message });
      }
    }
  }

  /** Whether the answer to the last request came. */
  #collect(base: number, size: number, answers: Map<number, Answer>): boolean {
    const last = base + size - 1;
    this.#drain(
      () => (answers.has(last) ? 'over' : 'open'),
      (bytes) => {
        const message = new MessageCursor(bytes);
        while (message.next()) {
          if (message.type !== NLMSG.ERROR) continue;
          answers.set(message.sequence, decodeAnswer(message));
        }
      },
    );
    return answers.has(last);
  }

  #ask(type: number, flags: number, write: (writer: MessageWriter) => void): number {
    this.#sequence = (this.#sequence + 1) % 0x7fffffff;
    const writer = this.#writer.reset().begin(type, flags, this.#sequence);
    write(writer);
    writer.end();
    this.#socket.send(writer.bytes);
    return this.#sequence;
  }

  #listen(sequence: number, onMessage: (message: MessageCursor) => void): Conversation {
    let ended: Answer | undefined;
    let isInterrupted = false;
    let failure: unknown;
    const isOverrun = this.#drain(
      () => (ended !== undefined ? 'over' : failure !== undefined ? 'broken' : 'open'),
      (bytes) => {
        try {
          const message = new MessageCursor(bytes);
          while (message.next()) {
            if (message.sequence !== sequence) continue;
            if ((message.flags & NLM_F.DUMP_INTR) !== 0) isInterrupted = true;
            if (message.type === NLMSG.ERROR) ended = decodeAnswer(message);
            else if (message.type === NLMSG.DONE) ended = decodeDumpEnd(message);
            else if (failure === undefined) onMessage(message);
          }
        } catch (error) {
          failure ??= error;
        }
      },
    );
    if (failure !== undefined) throw failure;
    return { ended, isInterrupted: isInterrupted || isOverrun };
  }

  // Of what is broken all is read that is there: a dump that is under way would spoil the next request. Answers
  // whether something was lost.
  #drain(
    state: () => 'open' | 'broken' | 'over',
    onDatagram: (bytes: Uint8Array) => void,
  ): boolean {
    let isOverrun = false;
    while (state() !== 'over') {
      const received = this.#socket.receive();
      if (received.kind === 'datagram') onDatagram(received.bytes);
      else if (received.kind === 'overrun') isOverrun = true;
      else if (isOverrun || state() === 'broken') break;
      else if (!this.#socket.waitUntilReadable(ANSWER_MS)) break;
    }
    return isOverrun;
  }
}

const LOST: Answer = {
  code: 'ENOBUFS',
  message: 'the answer was lost: whether it was carried out is unknown',
};

function unanswered(action: string): NetlinkError {
  return new NetlinkError('ETIMEDOUT', `Cannot ${action}: ${ATTEMPTS} requests had no answer`);
}

function refusal(action: string, answer: Answer): NetlinkError {
  const code = answer.code ?? 'EIO';
  const text = answer.message === '' ? '' : ` (${answer.message})`;
  return new NetlinkError(code, `Cannot ${action}: ${code}${text}`);
}
