// Host endpoints of this node, into the ruleset.
import type { PolicyInputs } from '../../../ports.ts';
import { baseChains } from '../compiler/base_chains.ts';
import type { ChainBuilder } from '../compiler/chains.ts';
import type { SetBuilder } from '../compiler/set_builder.ts';
import type { ProfileLookup } from '../meaning/labels.ts';
import type { FilterSettings } from '../meaning/settings.ts';
import { failsafeChains } from './failsafe.ts';
import { hostChains, hostInputRules } from './host_chains.ts';
import { bindHostEndpoints } from './host_endpoints.ts';
import { dispatchHosts, type HostParts, POINTS, type Point } from './host_programs.ts';

/** What host endpoints depend on. */
export function hostParts(
  inputs: PolicyInputs,
  profileOf: ProfileLookup,
  { dropsInvalid }: FilterSettings,
): HostParts {
  const { node, hostEndpoints, hostInterfaces = [], tiers } = inputs;
  return {
    bindings: bindHostEndpoints(node, hostEndpoints, hostInterfaces),
    tiers,
    policies: [...inputs.networkPolicies, ...inputs.globalNetworkPolicies],
    profileOf,
    dropsInvalid,
  };
}

/** Adds what host endpoints need; nothing on a node that has none. */
export function addHosts(
  parts: HostParts,
  settings: FilterSettings,
  chains: ChainBuilder,
  sets: SetBuilder,
): void {
  const { bindings } = parts;
  if (bindings.named.size === 0 && bindings.rest === undefined) return;
  const dispatch = (point: Point) => dispatchHosts(point, parts, chains, sets);
  const dispatches = {
    rawIn: dispatch(POINTS.rawIn),
    rawOut: dispatch(POINTS.rawOut),
    early: dispatch(POINTS.early),
    in: dispatch(POINTS.in),
    out: dispatch(POINTS.out),
    forwardIn: dispatch(POINTS.forwardIn),
    forwardOut: dispatch(POINTS.forwardOut),
  };
  for (const [name, chain] of failsafeChains(settings.failsafe)) chains.add(name, chain);
  for (const [name, chain] of hostChains(dispatches, settings)) chains.add(name, chain);
  if (dispatches.in === undefined) return;
  const input = baseChains(settings).get('input-to-host');
  if (input === undefined) return;
  chains.add('input-to-host', {
    ...input,
    rules: [...input.rules, ...hostInputRules(dispatches.in, settings)],
  });
}
