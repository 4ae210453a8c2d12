// NLMSG_ERROR (also the positive acknowledgement) and the status that ends a dump.
import { errnoName, NetlinkDecodeError } from './errors.ts';
import { AttributeCursor, type Body } from './message_reader.ts';
import { NLM_F, NLMSGERR_ATTR } from './uapi.ts';

const HEADER_BYTES = 16;

export type Answer = {
  /** "EEXIST" …; undefined: done. */
  readonly code: string | undefined;
  /** The kernel's explanation (extended ack); may be empty. */
  readonly message: string;
};

const DONE: Answer = { code: undefined, message: '' };

/** struct nlmsgerr: a negative errno, the request (only its header when capped), attributes. */
export function decodeAnswer(body: Body & { readonly flags: number }): Answer {
  const { view, start, end } = body;
  if (end - start < 4 + HEADER_BYTES) {
    throw new NetlinkDecodeError(`Cannot decode answer: ${end - start} bytes`);
  }
  const errno = -view.getInt32(start, true);
  if (errno === 0) return DONE;
  const requestLength = view.getUint32(start + 4, true);
  const isCapped = (body.flags & NLM_F.CAPPED) !== 0;
  const attributesAt = start + 4 + (isCapped ? HEADER_BYTES : (requestLength + 3) & ~3);
  return { code: errnoName(errno), message: textOf(body, attributesAt) };
}

/** NLMSG_DONE: an errno of zero or less, attributes. */
export function decodeDumpEnd(body: Body & { readonly flags: number }): Answer {
  const { view, start, end } = body;
  if (end - start < 4) return DONE;
  const errno = -view.getInt32(start, true);
  return errno <= 0 ? DONE : { code: errnoName(errno), message: textOf(body, start + 4) };
}

function textOf(body: Body & { readonly flags: number }, attributesAt: number): string {
  if ((body.flags & NLM_F.ACK_TLVS) === 0 || attributesAt < body.start) return '';
  const attributes = new AttributeCursor(body.view, attributesAt, body.end);
  while (attributes.next()) {
    if (attributes.type === NLMSGERR_ATTR.MSG) return attributes.string();
  }
  return '';
}
