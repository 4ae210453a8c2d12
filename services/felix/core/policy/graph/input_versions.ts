// How the lists of inputs came from those of earlier inputs, where whoever made them knows: then nobody puts a hundred
// thousand resources into a list, or looks through one, for the sake of the few that changed.
import type { AnyResource } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { type ListChanges, listChanges } from './list_changes.ts';
import type { VersionedSet } from './versioned_set.ts';

/** The parts of PolicyInputs that are lists of the cluster's resources. */
export type LongList = Exclude<
  {
    [K in keyof PolicyInputs]-?: Required<PolicyInputs>[K] extends readonly AnyResource[]
      ? K
      : never;
  }[keyof PolicyInputs],
  'localEndpoints'
>;

export type InputVersions = ReadonlyMap<LongList, VersionedSet<AnyResource>>;

const versions = new WeakMap<PolicyInputs, InputVersions>();

/** Inputs with these lists, which become arrays when they are read. A copy of them is like any other inputs. */
export function withVersions(
  rest: Omit<PolicyInputs, LongList>,
  lists: InputVersions,
): PolicyInputs {
  const inputs = { ...rest };
  for (const [list, set] of lists) {
    Object.defineProperty(inputs, list, { enumerable: true, get: () => set.items });
  }
  versions.set(inputs as PolicyInputs, lists);
  return inputs as PolicyInputs;
}

/** What came to a list of inputs and what went; `before` undefined: from nothing. */
export function inputChanges<K extends LongList>(
  before: PolicyInputs | undefined,
  after: PolicyInputs,
  list: K,
): ListChanges<Required<PolicyInputs>[K][number]> {
  const [old, young] = [before && versions.get(before)?.get(list), versions.get(after)?.get(list)];
  const known = old && young && old.changesUntil(young);
  type Changes = ListChanges<Required<PolicyInputs>[K][number]>;
  if (known !== undefined) return known as Changes;
  return listChanges<AnyResource>(before?.[list] ?? [], after[list] ?? []) as Changes;
}

export function isInputChanged(
  before: PolicyInputs | undefined,
  after: PolicyInputs,
  list: LongList,
): boolean {
  const { removed, added } = inputChanges(before, after, list);
  return removed.length + added.length > 0;
}
