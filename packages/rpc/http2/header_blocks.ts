// Headers may come in several frames. https://www.rfc-editor.org/rfc/rfc9113#section-4.3
import { CODE, FLAG, FRAME, type Frame, HEAD_BYTES, Http2Error, withoutPadding } from './frames.ts';
import { HeaderDecoder, type Headers } from './header_decoder.ts';

/** Of a block that is read at all, be it only for what it says about the table. */
const MOST_BYTES = 256 << 10;
const PRIORITY_BYTES = 5;

export type HeaderBlock = {
  readonly stream: number;
  /** Undefined: too long. */
  readonly headers: Headers | undefined;
  /** Nothing follows on the stream. */
  readonly isEnd: boolean;
};

export class HeaderBlocks {
  readonly #decoder = new HeaderDecoder();
  #parts: Buffer[] = [];
  #length = 0;
  /** Whose headers are not complete yet. */
  #begun: { readonly stream: number; readonly isEnd: boolean } | undefined;

  /** Undefined: more frames must follow. Blocks of streams that are over count, too. @throws Http2Error */
  take(frame: Frame): HeaderBlock | undefined {
    const { type, flags, stream, payload } = frame;
    if (type === FRAME.HEADERS) {
      const priority = (flags & FLAG.PRIORITY) === 0 ? 0 : PRIORITY_BYTES;
      this.#begun = { stream, isEnd: (flags & FLAG.END_STREAM) !== 0 };
      return this.#add(withoutPadding(frame, priority), flags);
    }
    return this.#add(payload, flags);
  }

  /** Only a continuation may come while headers are not complete. @throws Http2Error */
  check({ type, stream }: Frame): void {
    const isContinuation = type === FRAME.CONTINUATION;
    if (isContinuation ? this.#begun?.stream === stream : this.#begun === undefined) return;
    throw new Http2Error(
      CODE.PROTOCOL_ERROR,
      'headers without their end, or an end without headers',
    );
  }

  #add(part: Buffer, flags: number): HeaderBlock | undefined {
    const isLast = (flags & FLAG.END_HEADERS) !== 0;
    this.#length += HEAD_BYTES + part.length; // empty parts are kept, too
    if (this.#length > MOST_BYTES) {
      throw new Http2Error(CODE.ENHANCE_YOUR_CALM, `headers of ${this.#length} bytes`);
    }
    this.#parts.push(isLast ? part : Buffer.from(part));
    if (!isLast || this.#begun === undefined) return undefined;
    const [first] = this.#parts;
    const bytes = this.#parts.length === 1 && first ? first : Buffer.concat(this.#parts);
    const block = { ...this.#begun, headers: this.#decoder.decode(bytes) };
    this.#begun = undefined;
    this.#parts = [];
    this.#length = 0;
    return block;
  }
}
