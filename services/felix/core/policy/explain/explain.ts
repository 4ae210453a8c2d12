// What a node does to a packet and why: the verdict is that of the compiled ruleset, as it is in the kernel; the
// reasons are those of the policies. Both come from the same inputs, and a test holds them together.
import { type Address, formatAddress } from '@calico/ip';
import type { PolicyInputs } from '../../../ports.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import type { Packet } from '../evaluator/packet.ts';
import { evaluate } from '../evaluator/ruleset_evaluator.ts';
import { profileLookup } from '../meaning/labels.ts';
import { sliceMember } from '../meaning/services.ts';
import { explainDirection } from './direction.ts';
import type { DirectionExplanation } from './explanation.ts';
import { judgedAt } from './judged_at.ts';
import { ownersOf } from './owners.ts';

export type Explanation = {
  readonly allowed: boolean;
  /** One sentence. */
  readonly because: string;
  /** Of the pods and host endpoints of this node that judge the packet, in order of its way. */
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

/** In order of the packet's way. One is explained also when another one, or something before policy, has decided. */
export function explainDirections(inputs: PolicyInputs, packet: Packet): DirectionExplanation[] {
  const profileOf = profileLookup(inputs.profiles);
  const owners = (address: Address) => ownersOf(inputs, profileOf, address);
  const ends = {
    source: owners(packet.source),
    destination: owners(packet.destination),
    slices: (inputs.endpointSlices ?? []).map(sliceMember),
  };
  return judgedAt(inputs, packet, profileOf).map(({ direction, judged }) =>
    explainDirection(direction, judged, packet, ends),
  );
}

function because(
  allowed: boolean,
  directions: readonly DirectionExplanation[],
  denied: DirectionExplanation | undefined,
  trace: readonly string[],
): string {
  if (!allowed) return denied?.decidedBy ?? trace.at(-1) ?? 'no rule of the packet filter';
  // What allows it all the same is a failsafe port or an early policy.
  if (directions.length > 0 && denied === undefined) {
    return directions.map(({ decidedBy }) => decidedBy).join(', then ');
  }
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
