// From a peer's UPDATE to paths in the tables: RFC 4271 section 9, errors RFC 7606.
import {
  type AttributeProblem,
  decodeMessage,
  MessageType,
  type MpFields,
  NlriCursor,
  type Span,
  UpdateFields,
  type WireContext,
} from '@calico/bgp-wire';
import { type Family, formatPrefix } from '@calico/ip';
import type { ImportJudge } from '../policy/import_judge.ts';
import { type LocRib, PATHS_PER_SOURCE } from '../rib/loc_rib.ts';
import type { Negotiated } from '../session/types.ts';
import type { UpdateNews } from './events.ts';

export type Applied = {
  readonly news: readonly UpdateNews[];
  /** The family whose initial routes are complete with this message. */
  readonly endOfRib: Family | undefined;
};

const NOTHING_TO_SAY: Applied = { news: [], endOfRib: undefined };
const NO_PROBLEMS: readonly AttributeProblem[] = [];

/** One peer's way in: takes the routes of its messages into the tables. */
export class Inbound {
  readonly #rib: LocRib;
  readonly #judge: ImportJudge;
  readonly #source: number;
  readonly #context: WireContext;
  readonly #families: readonly Family[];
  readonly #isOnLink: boolean;
  #scratch = new Uint8Array(4_096);
  /** What was said of the first path too many: once is enough. */
  #excess: UpdateNews | undefined;

  /** @param isOnLink the session runs between link-local addresses */
  constructor(
    rib: LocRib,
    judge: ImportJudge,
    source: number,
    negotiated: Negotiated,
    isOnLink: boolean,
  ) {
    this.#isOnLink = isOnLink;
    this.#rib = rib;
    this.#judge = judge;
    this.#source = source;
    this.#context = negotiated.context;
    this.#families = negotiated.families;
  }

  /** @throws ProtocolError where the session must be reset */
  apply(body: Uint8Array): Applied {
    const excessBefore = this.#excess;
    const fields = new UpdateFields(body);
    const { withdrawn, announced, reach, unreach, endOfRib } = fields;
    if (endOfRib !== undefined) return { news: [], endOfRib };
    this.#withdraw(body, 4, withdrawn, true);
    if (unreach?.family !== undefined) this.#withdraw(body, unreach.family, unreach.nlri, false);
    let problems: readonly AttributeProblem[] = NO_PROBLEMS;
    if (announced.end > announced.start) problems = this.#announce(fields, 4, announced, undefined);
    if (hasPrefixes(reach)) {
      const nextHop = this.#nextHopOf(body.subarray(reach.nextHop.start, reach.nextHop.end));
      problems = [...problems, ...this.#announce(fields, reach.family, reach.nlri, nextHop)];
    }
    // What no prefix asks for is looked at all the same: an unknown well-known attribute, a fault without routes.
    const isRead = announced.end > announced.start || hasPrefixes(reach);
    const isToRead = fields.isFaulty || (!isRead && fields.hasOrdinary);
    if (isToRead && problems.length === 0) problems = this.#faultsOf(body);
    if (problems.length === 0 && this.#excess === excessBefore) return NOTHING_TO_SAY;
    const news: UpdateNews[] = problems.map(({ type, treatment, message }) => ({
      kind: 'malformed',
      attribute: type,
      treatment,
      problem: message,
    }));
    if (this.#excess !== undefined && excessBefore === undefined) news.push(this.#excess);
    return { news, endOfRib: undefined };
  }

  /** Between link-local addresses the global one may be missing or out of reach (RFC 2545 section 3). */
  #nextHopOf(bytes: Uint8Array): Uint8Array {
    if (bytes.length < 32) return bytes;
    return this.#isOnLink ? bytes.subarray(16) : bytes.subarray(0, 16);
  }

  /** Families that were not agreed on are ignored. */
  #withdraw(body: Uint8Array, family: Family, nlri: Span, isOwnField: boolean): void {
    if (nlri.end === nlri.start || !this.#families.includes(family)) return;
    const { prefixes } = this.#rib;
    const cursor = this.#cursor(body, family, nlri, isOwnField);
    while (cursor.next()) {
      const prefix = prefixes.findBytes(family, body, cursor.at, cursor.length);
      if (prefix >= 0) this.#rib.removePath(prefix, this.#source, cursor.pathId);
    }
  }

  #announce(
    fields: UpdateFields,
    family: Family,
    nlri: Span,
    nextHop: Uint8Array | undefined,
  ): readonly AttributeProblem[] {
    const { body } = fields;
    const isOwnField = nextHop === undefined;
    if (fields.isFaulty) {
      const faults = this.#faultsOf(body);
      this.#withdraw(body, family, nlri, isOwnField);
      return faults;
    }
    const list = this.#ordinaryAttributes(fields);
    const interned = this.#rib.attributes.internWire(
      list.bytes,
      list.start,
      list.end,
      nextHop,
      this.#context,
    );
    if (interned.kind === 'withdraw') {
      this.#withdraw(body, family, nlri, isOwnField);
      return interned.problems;
    }
    try {
      if (this.#families.includes(family)) {
        this.#putAll(body, family, nlri, isOwnField, interned.id);
      }
    } finally {
      this.#judge.done();
      this.#rib.attributes.release(interned.id);
    }
    return interned.problems;
  }

  #putAll(body: Uint8Array, family: Family, nlri: Span, isOwnField: boolean, id: number): void {
    const { prefixes } = this.#rib;
    const cursor = this.#cursor(body, family, nlri, isOwnField);
    while (cursor.next()) {
      const prefix = prefixes.internBytes(family, body, cursor.at, cursor.length);
      const attributes = this.#judge.judge(prefix, id);
      if (!this.#rib.putRow(prefix, this.#source, cursor.pathId, id, attributes)) {
        this.#excess ??= {
          kind: 'path-limit',
          prefix: formatPrefix(prefixes.prefixOf(prefix)),
          limit: PATHS_PER_SOURCE,
        };
      }
      prefixes.release(prefix);
    }
  }

  #cursor(body: Uint8Array, family: Family, nlri: Span, isOwnField: boolean): NlriCursor {
    const addPath = this.#context.addPath.includes(family);
    return new NlriCursor(body, nlri, family, { addPath, isOwnField });
  }

  /** The attributes without those that carry prefixes. */
  #ordinaryAttributes({ body, attributes, multiprotocol }: UpdateFields): Span & {
    readonly bytes: Uint8Array;
  } {
    const { start, end } = attributes;
    if (multiprotocol.length === 0) return { bytes: body, start, end };
    if (end - start > this.#scratch.length) this.#scratch = new Uint8Array(end - start);
    let length = 0;
    let from = start;
    for (const gap of [...multiprotocol, { start: end, end }]) {
      this.#scratch.set(body.subarray(from, gap.start), length);
      length += gap.start - from;
      from = gap.end;
    }
    return { bytes: this.#scratch, start: 0, end: length };
  }

  /** What is wrong with the list of attributes. @throws ProtocolError */
  #faultsOf(body: Uint8Array): readonly AttributeProblem[] {
    const message = decodeMessage({ type: MessageType.Update, body }, this.#context);
    return message.kind === 'update' ? message.problems : [];
  }
}

/** Of a family that is spoken here. */
function hasPrefixes(reach: MpFields | undefined): reach is MpFields & { readonly family: Family } {
  return reach?.family !== undefined && reach.nlri.end > reach.nlri.start;
}
