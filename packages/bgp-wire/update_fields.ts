// Where things are in an UPDATE, without reading them: what a speaker with a large table needs, since
// most messages carry attributes that it has seen before. decodeUpdate() reads everything.

import type { Family } from '@calico/ip';
import { familyOf } from './context.ts';
import { ProtocolError } from './errors.ts';
import { AttributeFlag, AttributeType, ErrorCode, UpdateError } from './iana.ts';

const { Optional, Transitive, ExtendedLength } = AttributeFlag;

/** A part of the message: from `start` up to but not including `end`. */
export type Span = { readonly start: number; readonly end: number };

const NO_SPANS: readonly Span[] = [];

/** Prefixes of MP_REACH_NLRI or MP_UNREACH_NLRI. */
export type MpFields = {
  /** Undefined: an AFI and SAFI that are not spoken here. */
  readonly family: Family | undefined;
  readonly nlri: Span;
  /** Of MP_REACH_NLRI: 4, 16 or 32 octets. */
  readonly nextHop: Span;
};

/** RFC 4271 section 4.3. Throws ProtocolError where the session must be reset. */
export class UpdateFields {
  readonly body: Uint8Array;
  readonly withdrawn: Span;
  readonly attributes: Span;
  readonly announced: Span;
  reach: MpFields | undefined;
  unreach: MpFields | undefined;
  /**
   * Where the MP attributes are among the others, in order: what is left when they are cut out says
   * nothing about prefixes.
   */
  multiprotocol: readonly Span[] = NO_SPANS;
  /** The list of attributes is not well formed: only decodeUpdate() can say what to do. */
  isFaulty = false;

  constructor(body: Uint8Array) {
    this.body = body;
    const withdrawnEnd = 2 + lengthAt(body, 0);
    const attributesStart = withdrawnEnd + 2;
    const attributesEnd = attributesStart + lengthAt(body, withdrawnEnd);
    if (attributesEnd > body.length) {
      throw malformed(`its attributes end at "${attributesEnd}", the message at "${body.length}"`);
    }
    this.withdrawn = { start: 2, end: withdrawnEnd };
    this.attributes = { start: attributesStart, end: attributesEnd };
    this.announced = { start: attributesEnd, end: body.length };
    this.#findMultiprotocol(attributesStart, attributesEnd);
  }

  /** The family whose initial routes are complete with this message (RFC 4724 section 2). */
  get endOfRib(): Family | undefined {
    const { withdrawn, attributes, announced, unreach } = this;
    if (withdrawn.end > withdrawn.start || announced.end > announced.start) return undefined;
    if (attributes.end === attributes.start) return 4;
    const [only, more] = this.multiprotocol;
    if (unreach === undefined || more !== undefined || this.isFaulty) return undefined;
    const isAlone = only?.start === attributes.start && only.end === attributes.end;
    return isAlone && unreach.nlri.end === unreach.nlri.start ? unreach.family : undefined;
  }

  /** There are attributes beside those that carry prefixes. */
  get hasOrdinary(): boolean {
    const { start, end } = this.attributes;
    return this.multiprotocol.reduce((rest, gap) => rest - (gap.end - gap.start), end - start) > 0;
  }

  #findMultiprotocol(start: number, end: number): void {
    const { body } = this;
    for (let at = start; at < end; ) {
      const flags = body[at] as number;
      const isLong = (flags & ExtendedLength) !== 0;
      const value = at + (isLong ? 4 : 3);
      if (value > end) {
        this.isFaulty = true;
        return;
      }
      const type = body[at + 1] as number;
      const next = value + (isLong ? lengthAt(body, at + 2) : (body[at + 2] as number));
      if (next > end) {
        this.isFaulty = true;
        return;
      }
      if (type === AttributeType.MpReach || type === AttributeType.MpUnreach) {
        if ((flags & (Optional | Transitive)) !== Optional) this.isFaulty = true;
        this.multiprotocol = [...this.multiprotocol, { start: at, end: next }];
        if (type === AttributeType.MpReach) this.#readReach(value, next);
        else this.#readUnreach(value, next);
      }
      at = next;
    }
  }

  #readReach(start: number, end: number): void {
    if (this.reach !== undefined) throw malformed('MP_REACH_NLRI occurs twice');
    const { body } = this;
    const nextHop = start + 4;
    const nextHopEnd = nextHop + (start + 4 <= end ? (body[start + 3] as number) : end);
    if (nextHopEnd + 1 > end) throw malformedMp('MP_REACH_NLRI', 'it is cut off');
    const family = familyOf(lengthAt(body, start), body[start + 2] as number);
    const length = nextHopEnd - nextHop;
    const fits = length === 16 || length === 32 || (length === 4 && family === 4);
    if (family !== undefined && !fits) {
      throw malformedMp('MP_REACH_NLRI', `a next hop of ${length} octets does not fit`);
    }
    this.reach = {
      family,
      nextHop: { start: nextHop, end: nextHopEnd },
      nlri: { start: nextHopEnd + 1, end },
    };
  }

  #readUnreach(start: number, end: number): void {
    if (this.unreach !== undefined) throw malformed('MP_UNREACH_NLRI occurs twice');
    if (start + 3 > end) throw malformedMp('MP_UNREACH_NLRI', 'it is cut off');
    const family = familyOf(lengthAt(this.body, start), this.body[start + 2] as number);
    this.unreach = { family, nextHop: NOTHING, nlri: { start: start + 3, end } };
  }
}

const NOTHING: Span = { start: 0, end: 0 };

/** Steps through prefixes on the wire. Throws ProtocolError when they cannot be read. */
export class NlriCursor {
  /** Where the prefix's octets are. */
  at = 0;
  /** Bits of the prefix. */
  length = 0;
  /** 0 without ADD-PATH. */
  pathId = 0;
  readonly #body: Uint8Array;
  readonly #end: number;
  readonly #bits: number;
  readonly #addPath: boolean;
  readonly #isOwnField: boolean;
  #next: number;

  /** @param isOwnField the message's own field, not an MP attribute: errors have another subcode */
  constructor(
    body: Uint8Array,
    { start, end }: Span,
    family: Family,
    options: { readonly addPath: boolean; readonly isOwnField: boolean },
  ) {
    this.#body = body;
    this.#next = start;
    this.#end = end;
    this.#bits = family === 4 ? 32 : 128;
    this.#addPath = options.addPath;
    this.#isOwnField = options.isOwnField;
  }

  /** Goes to the next prefix; false at the end. */
  next(): boolean {
    const body = this.#body;
    let at = this.#next;
    if (at >= this.#end) return false;
    if (this.#addPath) {
      if (at + 5 > this.#end) throw this.#malformed('it is cut off');
      this.pathId =
        (((body[at] as number) << 24) |
          ((body[at + 1] as number) << 16) |
          ((body[at + 2] as number) << 8) |
          (body[at + 3] as number)) >>>
        0;
      at += 4;
    }
    const length = body[at] as number;
    if (length > this.#bits) throw this.#malformed(`length "${length}" is above ${this.#bits}`);
    this.at = at + 1;
    this.length = length;
    this.#next = at + 1 + ((length + 7) >>> 3);
    if (this.#next > this.#end) throw this.#malformed('it is cut off');
    return true;
  }

  #malformed(reason: string): ProtocolError {
    return new ProtocolError(
      ErrorCode.Update,
      this.#isOwnField ? UpdateError.InvalidNetworkField : UpdateError.OptionalAttribute,
      `Cannot read prefix of UPDATE: ${reason}`,
    );
  }
}

function lengthAt(body: Uint8Array, at: number): number {
  if (at + 2 > body.length) throw malformed(`it ends at "${body.length}", within a length`);
  return ((body[at] as number) << 8) | (body[at + 1] as number);
}

function malformed(reason: string): ProtocolError {
  return new ProtocolError(
    ErrorCode.Update,
    UpdateError.MalformedAttributeList,
    `Cannot read UPDATE: ${reason}`,
  );
}

function malformedMp(name: string, reason: string): ProtocolError {
  return new ProtocolError(
    ErrorCode.Update,
    UpdateError.OptionalAttribute,
    `Cannot read ${name}: ${reason}`,
  );
}
