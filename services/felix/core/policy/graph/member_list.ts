// Members of the cluster, made from resources as they come, change and go.
import { type Prefix, parsePrefix } from '@calico/ip';
import type { PolicyInputs } from '../../../ports.ts';
import type { ProfileLookup } from '../meaning/labels.ts';
import {
  factsOf,
  labelsOf,
  MEMBER_LISTS,
  type MemberFacts,
  type MemberResource,
} from '../meaning/members.ts';
import { unlessUnreadable } from '../meaning/unreadable.ts';
import { inputChanges } from './input_versions.ts';
import type { LiveMember } from './live_selections.ts';
import { pairByKey } from './pairs.ts';
import { ProfileUsers } from './profile_users.ts';

export type MemberChange = (before: LiveMember | undefined, after: LiveMember | undefined) => void;

type Known = LiveMember & {
  /** Of a network set: what each of its texts stands for. */
  readonly parsed?: ParsedNets | undefined;
};
type ParsedNets = {
  readonly texts: readonly string[];
  /** Undefined where the text cannot be read. */
  readonly prefixes: readonly (Prefix | undefined)[];
  readonly readable: readonly Prefix[];
};

export class MemberList {
  readonly #known = new Map<MemberResource, Known>();
  readonly #heirs = new ProfileUsers<MemberResource>();
  readonly #onChange: MemberChange;

  constructor(onChange: MemberChange) {
    this.#onChange = onChange;
  }

  /** `changedProfiles`: what inherits from them may have other labels. */
  update(
    before: PolicyInputs | undefined,
    after: PolicyInputs,
    profileOf: ProfileLookup,
    changedProfiles: ReadonlySet<string>,
  ): void {
    for (const list of MEMBER_LISTS) {
      const { removed, added } = inputChanges(before, after, list);
      for (const [gone, come] of pairByKey(removed, added)) this.#replace(gone, come, profileOf);
    }
    // At first all have been made with the labels that they lend.
    if (before === undefined) return;
    for (const resource of this.#heirs.of(changedProfiles)) {
      const member = this.#known.get(resource);
      if (member !== undefined) this.#relabel(resource, member, profileOf);
    }
  }

  #replace(
    gone: MemberResource | undefined,
    come: MemberResource | undefined,
    profileOf: ProfileLookup,
  ): void {
    const before = gone && this.#known.get(gone);
    const after = come && this.#make(come, profileOf, before);
    if (gone !== undefined) {
      this.#known.delete(gone);
      this.#heirs.delete(profilesOf(gone), gone);
    }
    if (come !== undefined && after !== undefined) {
      this.#known.set(come, after);
      this.#heirs.add(profilesOf(come), come);
    }
    this.#onChange(before, after);
  }

  #make(resource: MemberResource, profileOf: ProfileLookup, before: Known | undefined): Known {
    const labels = labelsOf(resource, profileOf);
    if (resource.kind === 'WorkloadEndpoint' || resource.kind === 'HostEndpoint') {
      return { labels, ...factsOf(resource) };
    }
    const parsed = parseNets(resource.spec.nets ?? [], before?.parsed);
    const facts: MemberFacts = {
      prefixes: parsed.readable,
      ports: [],
    };
    return { labels, ...facts, parsed };
  }

  #relabel(resource: MemberResource, before: Known, profileOf: ProfileLookup): void {
    const after = { ...before, labels: labelsOf(resource, profileOf) };
    this.#known.set(resource, after);
    this.#onChange(before, after);
  }
}

/** Those that lend it labels. */
function profilesOf(resource: MemberResource): readonly string[] {
  switch (resource.kind) {
    case 'WorkloadEndpoint':
    case 'HostEndpoint':
      return resource.spec.profiles ?? [];
    case 'NetworkSet':
      return [`kns.${resource.metadata.namespace ?? ''}`];
    case 'GlobalNetworkSet':
      return [];
    default:
      return resource satisfies never;
  }
}

/** A set may hold 100,000 nets, of which one is new: what was parsed before is taken over, object by object. */
function parseNets(texts: readonly string[], before: ParsedNets | undefined): ParsedNets {
  const known = before?.texts ?? [];
  const shorter = Math.min(texts.length, known.length);
  let start = 0;
  while (start < shorter && texts[start] === known[start]) start++;
  let tail = 0;
  while (tail < shorter - start && texts.at(-1 - tail) === known.at(-1 - tail)) tail++;
  const old = before?.prefixes ?? [];
  const middle = texts.slice(start, texts.length - tail).map(readNet);
  // Copies of long arrays that do not touch their elements.
  const prefixes = old.slice(0, start).concat(middle, old.slice(old.length - tail));
  const isReadable = (before?.prefixes.length ?? 0) === (before?.readable.length ?? 0);
  const readable =
    isReadable && !middle.includes(undefined)
      ? (prefixes as readonly Prefix[])
      : prefixes.filter((prefix) => prefix !== undefined);
  return { texts, prefixes, readable };
}

function readNet(text: string): Prefix | undefined {
  return unlessUnreadable(() => parsePrefix(text, { hostBits: 'clear' }));
}
