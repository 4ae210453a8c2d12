// AS_PATH and AS4_PATH: RFC 4271 section 5.1.2, RFC 6793, confederations RFC 5065.
import { ByteReader, type ByteWriter } from './bytes.ts';
import { AS_TRANS } from './iana.ts';

export type AsSegment = {
  readonly kind: 'set' | 'sequence' | 'confed-sequence' | 'confed-set';
  /** 1 to 255 numbers on the wire; longer sequences are split when written. */
  readonly asns: readonly number[];
};

export type AsPath = readonly AsSegment[];

const SEGMENT_KINDS = ['set', 'sequence', 'confed-sequence', 'confed-set'] as const;
const MAX_SEGMENT = 255;

/** Undefined when malformed: unknown segment type, empty segment, lengths that do not add up, AS 0 (RFC 7607). */
export function decodeAsPath(value: Uint8Array, fourOctets: boolean): AsSegment[] | undefined {
  const reader = new ByteReader(value);
  const segments: AsSegment[] = [];
  while (reader.remaining > 0) {
    if (reader.remaining < 2) return undefined;
    const kind = SEGMENT_KINDS[reader.u8() - 1];
    const count = reader.u8();
    if (kind === undefined || count === 0) return undefined;
    if (reader.remaining < count * (fourOctets ? 4 : 2)) return undefined;
    const asns: number[] = [];
    for (let index = 0; index < count; index++) {
      asns.push(fourOctets ? reader.u32() : reader.u16());
    }
    if (asns.includes(0)) return undefined;
    segments.push({ kind, asns });
  }
  return segments;
}

export function encodeAsPath(writer: ByteWriter, path: AsPath, fourOctets: boolean): void {
  for (const { kind, asns } of path) {
    for (let from = 0; from < asns.length; from += MAX_SEGMENT) {
      const part = asns.slice(from, from + MAX_SEGMENT);
      writer.u8(SEGMENT_KINDS.indexOf(kind) + 1).u8(part.length);
      for (const asn of part) {
        if (fourOctets) writer.u32(asn);
        else writer.u16(asn > 0xffff ? AS_TRANS : asn);
      }
    }
  }
}

/** For the decision: a set counts one, confederation segments nothing (RFC 4271 9.1.2.2, 5065). */
export function asPathLength(path: AsPath): number {
  let length = 0;
  for (const { kind, asns } of path) {
    if (kind === 'sequence') length += asns.length;
    else if (kind === 'set') length += 1;
  }
  return length;
}

/** The AS that the route was heard from; undefined for a route of the own AS. */
export function neighbourAs(path: AsPath): number | undefined {
  const first = path.find(({ kind }) => kind === 'sequence' || kind === 'set');
  return first?.kind === 'sequence' ? first.asns[0] : undefined;
}

export function asPathContains(path: AsPath, asn: number): number {
  let times = 0;
  for (const { asns } of path) for (const member of asns) if (member === asn) times += 1;
  return times;
}

/** Puts numbers in front; joins them with a leading sequence (RFC 4271 section 5.1.2). */
export function prependAs(path: AsPath, asns: readonly number[]): AsPath {
  const [first, ...rest] = path;
  return first?.kind === 'sequence'
    ? [{ kind: 'sequence', asns: [...asns, ...first.asns] }, ...rest]
    : [{ kind: 'sequence', asns: [...asns] }, ...path];
}

/** Puts numbers in front of what stays inside a confederation (RFC 5065 section 4.1). */
export function prependMember(path: AsPath, asns: readonly number[]): AsPath {
  const [first, ...rest] = path;
  return first?.kind === 'confed-sequence'
    ? [{ kind: 'confed-sequence', asns: [...asns, ...first.asns] }, ...rest]
    : [{ kind: 'confed-sequence', asns: [...asns] }, ...path];
}

export function hasMembers(path: AsPath): boolean {
  return path.some(isOfConfederation);
}

/** The path as it leaves a confederation. */
export function withoutMembers(path: AsPath): AsPath {
  return hasMembers(path) ? path.filter((segment) => !isOfConfederation(segment)) : path;
}

/** Whether some numbers have no order (RFC 9774). */
export function hasSets(path: AsPath): boolean {
  return path.some(({ kind }) => kind === 'set' || kind === 'confed-set');
}

function isOfConfederation({ kind }: AsSegment): boolean {
  return kind === 'confed-sequence' || kind === 'confed-set';
}

/** "64512 64513 {64514 64515}". */
export function formatAsPath(path: AsPath): string {
  return path
    .map(({ kind, asns }) => {
      const text = asns.join(' ');
      if (kind === 'sequence') return text;
      return kind === 'set' ? `{${text}}` : kind === 'confed-set' ? `[${text}]` : `(${text})`;
    })
    .join(' ');
}

/** Whether some number needs four octets, so that AS4_PATH must go along to an old speaker. */
export function needsFourOctets(path: AsPath): boolean {
  return path.some(({ asns }) => asns.some((asn) => asn > 0xffff));
}

/**
 * The path that an old speaker passed on in two attributes: RFC 6793 section 4.2.3. The numbers by
 * which AS_PATH is longer were added by old speakers on the way and stay in front.
 */
export function mergeAs4Path(path: AsPath, as4Path: AsPath): AsPath {
  const wide = as4Path.filter(({ kind }) => kind === 'sequence' || kind === 'set');
  let missing = asPathLength(path) - asPathLength(wide);
  if (missing < 0) return path;
  const head: AsSegment[] = [];
  for (const segment of path) {
    if (segment.kind === 'confed-sequence' || segment.kind === 'confed-set') {
      head.push(segment);
    } else if (missing === 0) {
      break;
    } else if (segment.kind === 'set') {
      head.push(segment);
      missing -= 1;
    } else {
      const asns = segment.asns.slice(0, missing);
      head.push({ kind: 'sequence', asns });
      missing -= asns.length;
    }
  }
  const last = head.at(-1);
  const first = wide[0];
  if (last?.kind === 'sequence' && first?.kind === 'sequence') {
    const joined: AsSegment = { kind: 'sequence', asns: [...last.asns, ...first.asns] };
    return [...head.slice(0, -1), joined, ...wide.slice(1)];
  }
  return [...head, ...wide];
}
