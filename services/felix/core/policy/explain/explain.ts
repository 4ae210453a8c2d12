// What a node does to a packet and why: the verdict is that of the compiled ruleset, as it is in the kernel; the
// reasons are those of the policies. Both come from the same inputs, and a test holds them together.
import { type Address, formatAddress } from '@calico/ip';
import type { PolicyInputs } from '../../../ports.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import type { Packet } from '../evaluator/packet.ts';
import { evaluate } from '../evaluator/ruleset_evaluator.ts';
import { endpointLabels, profileLookup } from '../meaning/labels.ts';
import { applicable, type Direction, orderTiers } from '../meaning/ordering.ts';
import { explainDirection } from './direction.ts';
import type { DirectionExplanation } from './explanation.ts';
import { nameOf, ownersOf } from './owners.ts';

export type Explanation = {
  readonly allowed: boolean;
  /** One sentence. */
  readonly because: string;
  /** Egress of the pod that sends, then ingress of the pod that receives, as far as they are of this node. */
  readonly directions: readonly DirectionExplanation[];
  /** Rules of the packet filter that matched: "chain: comment". */
  readonly matchedRules: readonly string[];
};

export function explain(inputs: PolicyInputs, ruleset: Ruleset, packet: Packet): Explanation {
  const { outcome, trace } = evaluate(ruleset, packet);
  const allowed = outcome === 'accept';
  const directions = explainDirections(inputs, packet);
  const denied = directions.find((each) => !each.allowed);
  return {
    allowed,
    because: because(allowed, directions, denied, trace),
    directions,
    matchedRules: trace,
  };
}

/** Egress first. A direction is explained also when another one, or something before policy, has decided. */
export function explainDirections(inputs: PolicyInputs, packet: Packet): DirectionExplanation[] {
  const profileOf = profileLookup(inputs.profiles);
  const { networkPolicies, globalNetworkPolicies } = inputs;
  const tiers = orderTiers(inputs.tiers, [...networkPolicies, ...globalNetworkPolicies]);
  const owners = (address: Address) => ownersOf(inputs, profileOf, address);
  const ends = { source: owners(packet.source), destination: owners(packet.destination) };
  const interfaces: readonly (readonly [Direction, string])[] = [
    ['egress', packet.inputInterface],
    ['ingress', packet.outputInterface],
  ];
  return interfaces.flatMap(([direction, device]) => {
    const endpoint = inputs.localEndpoints.find(({ spec }) => spec.interfaceName === device);
    // The host reaches its pods, whatever their policy.
    if (endpoint === undefined || packet.inputInterface === '') return [];
    const judged = {
      endpoint: nameOf(endpoint),
      tiers: applicable(tiers, direction, endpointLabels(endpoint, profileOf)),
      profiles: endpoint.spec.profiles ?? [],
      profileOf,
    };
    return [explainDirection(direction, judged, packet, ends)];
  });
}

function because(
  allowed: boolean,
  directions: readonly DirectionExplanation[],
  denied: DirectionExplanation | undefined,
  trace: readonly string[],
): string {
  if (!allowed) return denied?.decidedBy ?? trace.at(-1) ?? 'no rule of the packet filter';
  if (directions.length > 0) return directions.map(({ decidedBy }) => decidedBy).join(', then ');
  return trace.at(-1) ?? 'neither end is a pod of this node';
}

/**
 * The first packet of a connection, as this node sees it pass. `interfaceOf` says by which interface this host reaches
 * an address that is no pod's of its own; '' for an address of the host itself.
 */
export function packetOf(
  inputs: PolicyInputs,
  flow: Omit<Packet, 'inputInterface' | 'outputInterface' | 'state'>,
  interfaceOf: (address: Address) => string,
): Packet {
  const deviceOf = (address: Address): string => {
    const text = formatAddress(address);
    const pod = inputs.localEndpoints.find(({ spec }) =>
      spec.ipNetworks?.some((net) => net.split('/')[0] === text),
    );
    return pod?.spec.interfaceName ?? interfaceOf(address);
  };
  const [inputInterface, outputInterface] = [deviceOf(flow.source), deviceOf(flow.destination)];
  const isOwn = inputInterface === '' && outputInterface === '';
  return { ...flow, inputInterface, outputInterface: isOwn ? 'lo' : outputInterface, state: 'new' };
}
