// Which path of a prefix is used: RFC 4271 section 9.1.2, route reflection RFC 4456 section 9.
import { asPathLength, neighbourAs, Origin } from '@calico/bgp-wire';
import { compareAddresses } from '@calico/ip';
import { DEFAULT_LOCAL_PREFERENCE, type Path } from './path.ts';

/** Smaller is better. */
type Rule = { readonly name: string; readonly compare: (a: Path, b: Path) => number };

const BEFORE_MED: readonly Rule[] = [
  { name: 'originated here', compare: (a, b) => isLearned(a) - isLearned(b) },
  {
    name: 'higher local preference',
    compare: (a, b) => localPreference(b) - localPreference(a),
  },
  { name: 'shorter AS path', compare: (a, b) => pathLength(a) - pathLength(b) },
  { name: 'lower origin', compare: (a, b) => origin(a) - origin(b) },
];

const MED: Rule = { name: 'lower multi-exit discriminator', compare: (a, b) => med(a) - med(b) };

const EXTERNAL: Rule = {
  name: 'external before internal',
  compare: (a, b) => isInternal(a) - isInternal(b),
};

const TIE_BREAKS: readonly Rule[] = [
  { name: 'lower router id', compare: (a, b) => originator(a) - originator(b) },
  { name: 'shorter cluster list', compare: (a, b) => clusterLength(a) - clusterLength(b) },
  { name: 'lower peer address', compare: comparePeerAddress },
];

export type Decision = {
  readonly best: Path | undefined;
  /** The best path and those as good up to the tie-breaks, with different next hops. */
  readonly multipath: readonly Path[];
};

export const NO_DECISION: Decision = { best: undefined, multipath: [] };

export function decide(candidates: readonly Path[]): Decision {
  const first = candidates[0];
  if (first === undefined) return NO_DECISION;
  if (candidates.length === 1) return { best: first, multipath: candidates };
  let remaining = keepBest(candidates, BEFORE_MED);
  if (remaining.length > 1) remaining = removeWorseMed(remaining);
  remaining = keepBest(remaining, [EXTERNAL]);
  const [best] = keepBest(remaining, TIE_BREAKS);
  return { best, multipath: distinctNextHops(best, remaining) };
}

/** The rule by which `a` beats `b`; undefined when `b` is at least as good. */
export function whyBetter(a: Path, b: Path): string | undefined {
  const rules = [...BEFORE_MED, ...(sameNeighbour(a, b) ? [MED] : []), EXTERNAL, ...TIE_BREAKS];
  for (const { name, compare } of rules) {
    const order = compare(a, b);
    if (order !== 0) return order < 0 ? name : undefined;
  }
  return undefined;
}

/** A path that takes this one out, and by which rule; undefined when none does. */
export function whyWorse(
  path: Path,
  candidates: readonly Path[],
): { readonly by: Path; readonly rule: string } | undefined {
  for (const by of candidates) {
    const rule = by === path ? undefined : whyBetter(by, path);
    if (rule !== undefined) return { by, rule };
  }
  return undefined;
}

function keepBest(paths: readonly Path[], rules: readonly Rule[]): readonly Path[] {
  let remaining = paths;
  for (const { compare } of rules) {
    if (remaining.length === 1) return remaining;
    let kept: Path[] = [];
    for (const path of remaining) {
      const order = kept[0] === undefined ? 0 : compare(path, kept[0]);
      if (order < 0) kept = [path];
      else if (order === 0) kept.push(path);
    }
    remaining = kept;
  }
  return remaining;
}

/** MED says something only among paths through one AS, so a path falls to any of its own AS. */
function removeWorseMed(paths: readonly Path[]): readonly Path[] {
  return paths.filter(
    (path) => !paths.some((other) => sameNeighbour(path, other) && med(other) < med(path)),
  );
}

function distinctNextHops(best: Path | undefined, paths: readonly Path[]): readonly Path[] {
  if (best === undefined || best.source.kind === 'local' || paths.length === 1) {
    return best === undefined ? [] : [best];
  }
  const chosen = [best];
  for (const path of paths) {
    const isNew = chosen.every(
      ({ data }) => compareAddresses(data.nextHop, path.data.nextHop) !== 0,
    );
    if (isNew) chosen.push(path);
  }
  return chosen.toSorted((a, b) => compareAddresses(a.data.nextHop, b.data.nextHop));
}

function isLearned({ source }: Path): number {
  return source.kind === 'local' ? 0 : 1;
}

function localPreference({ data }: Path): number {
  return data.attributes.localPreference ?? DEFAULT_LOCAL_PREFERENCE;
}

function pathLength({ data }: Path): number {
  return asPathLength(data.attributes.asPath ?? []);
}

function origin({ data }: Path): number {
  return data.attributes.origin ?? Origin.Incomplete;
}

function med({ data }: Path): number {
  return data.attributes.multiExitDiscriminator ?? 0;
}

function sameNeighbour(a: Path, b: Path): boolean {
  return (
    neighbourAs(a.data.attributes.asPath ?? []) === neighbourAs(b.data.attributes.asPath ?? [])
  );
}

function isInternal({ source }: Path): number {
  return source.kind === 'peer' && source.isInternal ? 1 : 0;
}

function originator({ data, source }: Path): number {
  return data.attributes.originatorId ?? (source.kind === 'peer' ? source.routerId : 0);
}

function clusterLength({ data }: Path): number {
  return data.attributes.clusterList?.length ?? 0;
}

function comparePeerAddress(a: Path, b: Path): number {
  if (a.source.kind === 'local' || b.source.kind === 'local') return isLearned(a) - isLearned(b);
  return compareAddresses(a.source.address, b.source.address);
}
