// What host endpoints are judged by, as programs of policies, at each point where they are judged.
//
//   raw prerouting, raw output   untracked policies   what they allow is not tracked, and marked
//   mangle prerouting            preDNAT policies     what they allow is marked
//   forward, in and out          those that apply on forward; none: all passes
//   input, output                all normal ones, then profiles, else denied
import type { GlobalNetworkPolicy, HostEndpoint, NetworkPolicy, Tier } from '@calico/model';
import type { ChainBuilder } from '../compiler/chains.ts';
import { contentId } from '../compiler/identifiers.ts';
import { COUNTER, match, type Rule, type Verdict, verdict } from '../compiler/ruleset.ts';
import type { SetBuilder } from '../compiler/set_builder.ts';
import { DEFAULT_ALLOW, hostEndpointLabels, type ProfileLookup } from '../meaning/labels.ts';
import { applicable, type Direction, type OrderedTier, orderTiers } from '../meaning/ordering.ts';
import { FAILSAFE } from './failsafe.ts';
import type { HostBindings } from './host_endpoints.ts';

/** Where a host endpoint is judged. */
export type Point = {
  /** Of its chains and its verdict map. */
  readonly name: string;
  readonly direction: Direction;
  readonly stage: 'untracked' | 'preDNAT' | 'normal';
  readonly isForward: boolean;
};

export const POINTS = {
  rawIn: { name: 'host-raw-in', direction: 'ingress', stage: 'untracked', isForward: false },
  rawOut: { name: 'host-raw-out', direction: 'egress', stage: 'untracked', isForward: false },
  early: { name: 'host-early-in', direction: 'ingress', stage: 'preDNAT', isForward: false },
  in: { name: 'host-in', direction: 'ingress', stage: 'normal', isForward: false },
  out: { name: 'host-out', direction: 'egress', stage: 'normal', isForward: false },
  forwardIn: { name: 'host-forward-in', direction: 'ingress', stage: 'normal', isForward: true },
  forwardOut: { name: 'host-forward-out', direction: 'egress', stage: 'normal', isForward: true },
} as const satisfies Record<string, Point>;

/** Dispatch at one point: a verdict map by interface, then what all others go to. */
export type HostDispatch = { readonly map: string; readonly rest: Verdict | undefined };

export type HostParts = {
  readonly bindings: HostBindings;
  readonly tiers: readonly Tier[];
  readonly policies: readonly (NetworkPolicy | GlobalNetworkPolicy)[];
  readonly profileOf: ProfileLookup;
  readonly dropsInvalid: boolean;
};

/** Builds the programs of one point; undefined: no host endpoint is judged there. */
export function dispatchHosts(
  point: Point,
  parts: HostParts,
  chains: ChainBuilder,
  sets: SetBuilder,
): HostDispatch | undefined {
  const { bindings, profileOf } = parts;
  const tiers = orderTiers(parts.tiers, parts.policies, point.stage).map((tier) =>
    limited(tier, point),
  );
  const entry = (endpoint: HostEndpoint | undefined): Verdict | undefined => {
    if (endpoint === undefined) return undefined;
    const labels = hostEndpointLabels(endpoint, profileOf);
    const own = applicable(tiers, point.direction, labels);
    if (own.length === 0 && hasDefault(point)) return undefined;
    const profiles = hasDefault(point) ? [DEFAULT_ALLOW] : (endpoint.spec.profiles ?? []);
    const program = chains.program(point.direction, own, profiles);
    const name = `${point.name}/${contentId(program)}`;
    const comment = `${point.name} of host endpoints`;
    return `goto ${chains.add(name, { comment, rules: entryRules(point, program, parts) })}`;
  };
  const elements = new Map<string, Verdict>();
  for (const [name, endpoint] of bindings.named) {
    // One that is not judged here keeps its interface from the one for all the rest.
    elements.set(name, entry(endpoint) ?? 'accept');
  }
  const rest = entry(bindings.rest);
  if (rest === undefined && elements.values().every((verdictOf) => verdictOf === 'accept')) {
    return undefined;
  }
  const map = `dispatch/${point.name}`;
  sets.addVerdictMap(map, `${point.name} program of each interface`, elements);
  return { map, rest };
}

/** Everywhere but at the host itself, what no policy decides passes. */
export function hasDefault({ stage, isForward }: Point): boolean {
  return stage !== 'normal' || isForward;
}

/** Early policies never deny at the end of a tier; only some of the normal ones are about what is forwarded. */
export function limited(tier: OrderedTier, { stage, isForward }: Point): OrderedTier {
  if (stage !== 'normal') return { ...tier, defaultAction: 'Pass' };
  if (!isForward) return tier;
  return { ...tier, policies: tier.policies.filter(({ appliesOnForward }) => appliesOnForward) };
}

function entryRules(point: Point, program: string, { dropsInvalid }: HostParts): Rule[] {
  const invalid: Rule = {
    statements: [match('ct state', 'invalid'), COUNTER, verdict('drop')],
    comment: 'invalid',
  };
  const isUntracked = point.stage === 'untracked';
  const failsafe = isUntracked
    ? FAILSAFE[point.direction === 'ingress' ? 'untrackedIngress' : 'untrackedEgress']
    : FAILSAFE[point.direction];
  return [
    ...(dropsInvalid && !isUntracked ? [invalid] : []),
    // What is only passed on has no failsafe ports.
    ...(point.isForward
      ? []
      : [{ statements: [verdict(`jump ${failsafe}`)], comment: 'failsafe ports' }]),
    { statements: [verdict(`goto ${program}`)], comment: 'policies' },
  ];
}
