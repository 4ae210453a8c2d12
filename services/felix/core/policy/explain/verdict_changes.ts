// Which pairs of endpoints a change of resources treats differently, as far as one end is a pod of this node: every
// pair into such a pod, and what leaves one for the outside.
import { type Address, parseAddress, parsePrefix } from '@calico/ip';
import type { GlobalNetworkPolicy, NetworkPolicy, WorkloadEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { compile } from '../compiler/compile.ts';
import { FROM_POD, TO_POD } from '../compiler/dispatch.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import type { Packet } from '../evaluator/packet.ts';
import { evaluate } from '../evaluator/ruleset_evaluator.ts';
import { candidateFlows, type FlowKind, portAt } from './candidate_flows.ts';
import { nameOf } from './owners.ts';
import { ProgramComparison } from './same_program.ts';

export type VerdictChange = {
  /** "default/client" or what stands for addresses outside. */
  readonly from: string;
  readonly to: string;
  /** "TCP port 80"; "everything" when all flows change alike. */
  readonly what: string;
  /** One of the flows. */
  readonly packet: Packet;
  readonly allowedBefore: boolean;
  readonly allowedAfter: boolean;
  /** The rule that decides after the change. */
  readonly because: string;
};

type End = {
  readonly name: string;
  /** The pod's interface, or the one by which this node reaches what is outside. */
  readonly device: string;
  readonly addresses: readonly Address[];
  readonly endpoint: WorkloadEndpoint | undefined;
};

/** Yields undefined between pairs, for the caller to pause or to stop. */
export function* verdictChanges(
  before: PolicyInputs,
  after: PolicyInputs,
  interfaceOf: (address: Address) => string,
): Generator<VerdictChange | undefined> {
  const rulesets = [compileAll(before), compileAll(after)] as const;
  const comparison = new ProgramComparison(...rulesets);
  const changed = changedPolicies(before, after);
  const flows = candidateFlows(changed);
  const pods = after.workloadEndpoints.map(podEnd);
  const local = pods.filter(({ endpoint }) => endpoint?.spec.node === after.node);
  const outside = outsideEnds(changed, interfaceOf);
  const sendsSame = new Map(pods.map((pod) => [pod, comparison.isSame(FROM_POD, pod.device)]));
  for (const pod of local) {
    const receivesSame = comparison.isSame(TO_POD, pod.device);
    for (const peer of [...pods, ...outside]) {
      if (peer === pod) continue;
      if (!receivesSame || sendsSame.get(peer) === false) {
        yield* pairChanges(peer, pod, flows, rulesets);
      }
      if (peer.endpoint === undefined && sendsSame.get(pod) === false) {
        yield* pairChanges(pod, peer, flows, rulesets);
      }
      yield undefined;
    }
  }
}

/** All endpoints as if they were here: then one ruleset judges both directions of every pair. */
function compileAll(inputs: PolicyInputs): Ruleset {
  return compile({ ...inputs, localEndpoints: inputs.workloadEndpoints });
}

function* pairChanges(
  from: End,
  to: End,
  flows: readonly FlowKind[],
  [before, after]: readonly [Ruleset, Ruleset],
): Generator<VerdictChange> {
  const found: VerdictChange[] = [];
  let tried = 0;
  for (const flow of flows) {
    const packet = packetBetween(from, to, flow);
    if (packet === undefined) continue;
    tried++;
    const allowedBefore = evaluate(before, packet).outcome === 'accept';
    const { outcome, trace } = evaluate(after, packet);
    const allowedAfter = outcome === 'accept';
    if (allowedBefore === allowedAfter) continue;
    const because = trace.at(-1)?.replace(/^\S+: /, '') ?? '';
    const names = { from: from.name, to: to.name, what: flow.what };
    found.push({ ...names, packet, allowedBefore, allowedAfter, because });
  }
  const [first, ...more] = found;
  const isAlike =
    found.length === tried && more.every((one) => one.allowedAfter === first?.allowedAfter);
  if (first !== undefined && isAlike && more.length > 0) yield { ...first, what: 'everything' };
  else yield* found;
}

function packetBetween(from: End, to: End, flow: FlowKind): Packet | undefined {
  const destinationPort = portAt(flow, to.endpoint);
  if (destinationPort === undefined) return undefined;
  for (const source of from.addresses) {
    const destination = to.addresses.find(({ family }) => family === source.family);
    if (destination === undefined) continue;
    const isIcmp = flow.protocol === 1;
    const isSix = source.family === 6;
    return {
      inputInterface: from.device,
      outputInterface: to.device,
      source,
      destination,
      protocol: isIcmp && isSix ? 58 : flow.protocol,
      sourcePort: isIcmp ? 0 : 50_000,
      destinationPort,
      icmpType: isIcmp ? (isSix ? 128 : 8) : 0,
      icmpCode: 0,
      state: 'new',
    };
  }
  return undefined;
}

function podEnd(endpoint: WorkloadEndpoint): End {
  const { interfaceName = '', ipNetworks = [] } = endpoint.spec;
  const addresses = ipNetworks.map((net) => parseAddress(net.split('/')[0] ?? ''));
  return { name: nameOf(endpoint), device: interfaceName, addresses, endpoint };
}

/** One address of each net that the changed rules name, and one that none names. */
function outsideEnds(
  policies: readonly (NetworkPolicy | GlobalNetworkPolicy)[],
  interfaceOf: (address: Address) => string,
): End[] {
  const nets = new Set(
    policies.flatMap(({ spec }) =>
      [...(spec.ingress ?? []), ...(spec.egress ?? [])].flatMap(({ source, destination }) =>
        [source, destination].flatMap((side) => [...(side?.nets ?? []), ...(side?.notNets ?? [])]),
      ),
    ),
  );
  const named = [...nets].map((net) => {
    const { family, value } = parsePrefix(net, { hostBits: 'clear' });
    return { name: net, addresses: [{ family, value }] };
  });
  // RFC 5737 and RFC 3849: nobody has these.
  const addresses = ['198.51.100.1', '2001:db8:ffff::1'].map(parseAddress);
  return [...named, { name: 'outside', addresses }].map((one) => {
    const [first] = one.addresses;
    // The first address of a net may be one of the host's, or none's.
    const device = (first && interfaceOf(first)) || 'outside';
    return { ...one, device, endpoint: undefined };
  });
}

/** As they were and as they would be. */
function changedPolicies(
  before: PolicyInputs,
  after: PolicyInputs,
): (NetworkPolicy | GlobalNetworkPolicy)[] {
  const [old, now] = [new Set(policiesOf(before)), new Set(policiesOf(after))];
  const differing = [
    ...policiesOf(before).filter((policy) => !now.has(policy)),
    ...policiesOf(after).filter((policy) => !old.has(policy)),
  ];
  // Another thing has changed: tiers, profiles, sets.
  return differing.length > 0 ? differing : policiesOf(after);
}

function policiesOf(inputs: PolicyInputs): (NetworkPolicy | GlobalNetworkPolicy)[] {
  return [...inputs.networkPolicies, ...inputs.globalNetworkPolicies];
}
