// Why a packet passes a node's policy or does not, as data. The texts are made for people.
import type { Direction } from '../meaning/ordering.ts';

export type DirectionExplanation = {
  readonly direction: Direction;
  /** "<namespace>/<pod>". */
  readonly endpoint: string;
  readonly allowed: boolean;
  /** "NetworkPolicy default/web rule 1 Allow" or "tier default: default action Deny". */
  readonly decidedBy: string;
  readonly tiers: readonly TierExplanation[];
  /** Consulted when no tier has decided. */
  readonly profiles: readonly PolicyExplanation[];
  /** For what is denied: the rule that is nearest to allowing it. */
  readonly nearest: NearestRule | undefined;
};

export type TierExplanation = {
  readonly name: string;
  readonly defaultAction: 'Deny' | 'Pass';
  readonly policies: readonly PolicyExplanation[];
  readonly outcome: 'Allow' | 'Deny' | 'Pass';
  /** No rule has decided, but the default action. */
  readonly byDefault: boolean;
};

/** A policy or profile, as far as it was consulted. */
export type PolicyExplanation = {
  readonly kind: 'NetworkPolicy' | 'GlobalNetworkPolicy' | 'Profile';
  /** '' for one without. */
  readonly namespace: string;
  readonly name: string;
  /** Undefined: no rule matched. */
  readonly outcome: 'Allow' | 'Deny' | 'Pass' | undefined;
  /** Up to the one that decided. */
  readonly rules: readonly RuleExplanation[];
  /** Why a profile denies without a rule; '' otherwise. */
  readonly problem: string;
};

export type RuleExplanation = {
  /** From 1. */
  readonly number: number;
  readonly action: 'Allow' | 'Deny' | 'Log' | 'Pass';
  /** Why the rule does not match; empty: it does. */
  readonly mismatches: readonly Mismatch[];
};

export type Mismatch = {
  /** As in the resource: "source.selector", "destination.ports", "protocol". */
  readonly field: string;
  readonly wanted: string;
  readonly found: string;
  /** What would make the field match: "label role of default/client were 'frontend'". */
  readonly remedy: string;
};

export type NearestRule = {
  /** "NetworkPolicy default/allow-web rule 1". */
  readonly rule: string;
  readonly mismatches: readonly Mismatch[];
};

/** "NetworkPolicy default/web". */
export function titleOf({ kind, namespace, name }: PolicyExplanation): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
