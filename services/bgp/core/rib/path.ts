import type { PathAttributes } from '@calico/bgp-wire';
import type { Address, Prefix } from '@calico/ip';

/** What all prefixes of one UPDATE share: kept once, compared by identity. */
export type PathData = {
  /** Without the next hop. */
  readonly attributes: PathAttributes;
  readonly nextHop: Address;
};

export type PathSource =
  | { readonly kind: 'local' }
  | {
      readonly kind: 'peer';
      readonly peer: string;
      readonly address: Address;
      readonly routerId: number;
      readonly isInternal: boolean;
      /** Client of this route reflector. */
      readonly isClient: boolean;
      /** Where link-local next hops of this peer are. */
      readonly interface?: string;
    };

export type Path = {
  readonly prefix: Prefix;
  readonly data: PathData;
  readonly source: PathSource;
  /** What the peer has told; absent when import policy left it as it was. */
  readonly received?: PathData;
};

export const DEFAULT_LOCAL_PREFERENCE = 100;

export const LOCAL_SOURCE: PathSource = { kind: 'local' };

/** Key of a source among the candidates of one prefix. */
export function sourceKey(source: PathSource): string {
  return source.kind === 'local' ? '' : source.peer;
}

const texts = new WeakMap<PathData, string>();

/** Whether both say the same; quick for objects that were compared before. */
export function samePathData(a: PathData, b: PathData): boolean {
  return a === b || textOf(a) === textOf(b);
}

function textOf(data: PathData): string {
  let text = texts.get(data);
  if (text === undefined) {
    text = JSON.stringify(sorted(data));
    texts.set(data, text);
  }
  return text;
}

/** Members in the order of their names; numbers that JSON does not know as texts. */
function sorted(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([x], [y]) => (x < y ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
}
