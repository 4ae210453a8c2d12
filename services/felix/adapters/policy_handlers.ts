// Edge: the only file that knows the messages of PolicyService.
import type { PolicyService } from '@calico/proto/felix/v1/policy';
import { RpcError, type ServiceHandlers } from '@calico/rpc';
import type { Ruleset } from '../core/policy/compiler/ruleset.ts';
import { explain, packetOf } from '../core/policy/explain/explain.ts';
import type {
  DirectionExplanation,
  PolicyExplanation,
} from '../core/policy/explain/explanation.ts';
import type { RuleStat } from '../core/policy/explain/rule_totals.ts';
import type { ConnectionTable, PolicyInputs } from '../ports.ts';
import { flowOf } from './policy_flow.ts';
import { preview } from './policy_preview.ts';
import { type TraceSources, trace } from './policy_trace.ts';

/** What is in the kernel, and what it was made from. */
export type EnforcedPolicy = { readonly ruleset: Ruleset; readonly inputs: PolicyInputs };

export type PolicySources = TraceSources & {
  /** Undefined: nothing has been committed yet. */
  readonly enforced: () => EnforcedPolicy | undefined;
  /** What rules have decided on, since felix started. */
  readonly stats: () => readonly RuleStat[];
  readonly connections: ConnectionTable;
};

export function createPolicyHandlers(
  sources: PolicySources,
): ServiceHandlers<typeof PolicyService> {
  const { node } = sources;
  const enforced = (): EnforcedPolicy => {
    const policy = sources.enforced();
    if (policy !== undefined) return policy;
    const state = 'it waits for a complete snapshot of the cluster';
    throw new RpcError('UNAVAILABLE', `Cannot say what node "${node}" enforces: ${state}`);
  };
  return {
    explain: async ({ flow }) => {
      const packet = flowOf(flow);
      const { inputs, ruleset } = enforced();
      const { directions, matchedRules, ...verdict } = explain(
        inputs,
        ruleset,
        packetOf(inputs, packet, (address) => sources.connections.interfaceOf(address)),
      );
      return {
        node,
        inSync: inputs.inSync,
        ...verdict,
        matchedRules: [...matchedRules],
        directions: directions.map(directionMessage),
      };
    },
    getStats: async () => ({ node, rules: sources.stats().map((stat) => ({ ...stat })) }),
    preview: (request) => preview(enforced(), request, sources.connections),
    trace: (request) => trace(sources, sources.enforced()?.ruleset, request),
  };
}

function directionMessage({ tiers, profiles, nearest, ...rest }: DirectionExplanation) {
  return {
    ...rest,
    tiers: tiers.map(({ policies, ...tier }) => ({
      ...tier,
      policies: policies.map(policyMessage),
    })),
    profiles: profiles.map(policyMessage),
    ...(nearest === undefined
      ? {}
      : { nearest: { rule: nearest.rule, mismatches: [...nearest.mismatches] } }),
  };
}

function policyMessage({ outcome, rules, ...rest }: PolicyExplanation) {
  return {
    ...rest,
    outcome: outcome ?? '',
    rules: rules.map(({ mismatches, ...rule }) => ({
      ...rule,
      matched: mismatches.length === 0,
      mismatches: [...mismatches],
    })),
  };
}
