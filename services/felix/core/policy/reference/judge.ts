// What policy means, straight from the resources: slow, plain, and sharing nothing with the compiler but the
// labels of endpoints. Where the two disagree, one of them is wrong.
//
//   judge: the way of a packet    tiers: which policies, in which order    rules: whether a rule is about it
//   host: host endpoints          selectors, nets: what texts stand for
import type { PolicyRule, WorkloadEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import type { Outcome, Packet } from '../evaluator/packet.ts';
import {
  endpointLabels,
  hostEndpointLabels,
  type ProfileLookup,
  profileLookup,
} from '../meaning/labels.ts';
import { hasHostPolicy, hostEndpointAt, isFailsafe } from './host.ts';
import { covers } from './nets.ts';
import { RuleReader } from './rules.ts';
import { type AnyPolicy, type Direction, type OneTier, tiersOf } from './tiers.ts';

/** What becomes of a packet on this node. */
export function judge(inputs: PolicyInputs, packet: Packet): Outcome {
  return new Reference(inputs, packet).judge();
}

class Reference {
  readonly #inputs: PolicyInputs;
  readonly #packet: Packet;
  readonly #profileOf: ProfileLookup;
  readonly #rules: RuleReader;

  constructor(inputs: PolicyInputs, packet: Packet) {
    this.#inputs = inputs;
    this.#packet = packet;
    this.#profileOf = profileLookup(inputs.profiles);
    this.#rules = new RuleReader(inputs, packet, this.#profileOf);
  }

  judge(): Outcome {
    const { inputInterface: from, outputInterface: to, state } = this.#packet;
    const [isFromPod, isToPod] = [from.startsWith('cali'), to.startsWith('cali')];
    // The host reaches its own pods, whatever their policy.
    if (from === '') return isToPod || to === 'lo' || this.#sends() ? 'accept' : 'drop';
    if (isFromPod && !this.#isOwnSource()) return 'drop';
    const early = this.#early(from);
    if (early === 'Deny') return 'drop';
    if (early !== 'untracked' && this.#isCut()) return 'drop';
    if (early !== 'untracked' && isKnown(state)) return 'accept';
    const isInvalid = early !== 'untracked' && state === 'invalid';
    if (isInvalid && (isFromPod || isToPod)) return 'drop';
    if (isFromPod && this.#isTunnel()) return 'drop';
    const isForward = to !== '';
    if (isForward && early === undefined && !this.#forwards(from, 'ingress')) return 'drop';
    if (isFromPod && !this.#allows(from, 'egress')) return 'drop';
    if (isToPod && !this.#allows(to, 'ingress')) return 'drop';
    if (isForward) return this.#forwards(to, 'egress', isInvalid) ? 'accept' : 'drop';
    if (isFromPod) return this.#toHost();
    return early !== undefined || this.#hostAllows(from, 'ingress') ? 'accept' : 'drop';
  }

  #sends(): boolean {
    const { outputInterface: to, state } = this.#packet;
    const early = this.#atHost(to, 'egress', 'untracked', this.#asDialled());
    if (early === 'Deny') return false;
    const hasPolicy = hostEndpointAt(this.#inputs, to) !== undefined;
    if (early === undefined && isKnown(state))
      return !(this.#isCut() && hasHostPolicy(this.#inputs));
    if (early === undefined && this.#isCut() && hasHostPolicy(this.#inputs)) return false;
    return early === 'Allow' || !hasPolicy || this.#hostAllows(to, 'egress');
  }

  #isCut(): boolean {
    const cuts = this.#inputs.felixConfiguration?.spec.connections !== 'Keep';
    return this.#packet.isCut === true && cuts;
  }

  /** What policies say before tracking and translation; undefined: nothing. */
  #early(from: string): 'Allow' | 'Deny' | 'untracked' | undefined {
    const seen = this.#asDialled();
    const raw = this.#atHost(from, 'ingress', 'untracked', seen);
    if (raw !== undefined) return raw === 'Allow' ? 'untracked' : raw;
    if (isKnown(this.#packet.state) || this.#isCut()) return undefined;
    return this.#atHost(from, 'ingress', 'preDNAT', seen);
  }

  #asDialled(): Reference {
    const { dialled } = this.#packet;
    if (dialled === undefined) return this;
    const { destination, port } = dialled;
    return new Reference(this.#inputs, { ...this.#packet, destination, destinationPort: port });
  }

  /** Early policies of the interface's host endpoint, about the packet as it was then. */
  #atHost(
    name: string,
    direction: Direction,
    stage: 'untracked' | 'preDNAT',
    seen: Reference,
  ): 'Allow' | 'Deny' | undefined {
    const endpoint = hostEndpointAt(this.#inputs, name);
    if (endpoint === undefined) return undefined;
    const labels = hostEndpointLabels(endpoint, this.#profileOf);
    const tiers = tiersOf(this.#inputs, stage, direction, labels);
    if (tiers.every(({ policies }) => policies.length === 0)) return undefined;
    if (stage === 'preDNAT' && seen.#packet.state === 'invalid') return 'Deny';
    if (isFailsafe(this.#inputs, seen.#packet, direction, stage === 'untracked')) return undefined;
    for (const { policies } of tiers) {
      const decision = seen.#tier(policies, direction);
      if (decision === 'Allow' || decision === 'Deny') return decision;
    }
    return undefined;
  }

  #forwards(name: string, direction: Direction, isInvalid = this.#packet.state === 'invalid') {
    const endpoint = hostEndpointAt(this.#inputs, name);
    if (endpoint === undefined) return true;
    const labels = hostEndpointLabels(endpoint, this.#profileOf);
    const tiers = tiersOf(this.#inputs, 'normal', direction, labels, true);
    if (tiers.every(({ policies }) => policies.length === 0)) return true;
    return !isInvalid && (this.#decided(tiers, direction) ?? true);
  }

  #hostAllows(name: string, direction: Direction): boolean {
    const endpoint = hostEndpointAt(this.#inputs, name);
    if (endpoint === undefined) return true;
    if (this.#packet.state === 'invalid') return false;
    if (isFailsafe(this.#inputs, this.#packet, direction, false)) return true;
    const labels = hostEndpointLabels(endpoint, this.#profileOf);
    return (
      this.#decided(tiersOf(this.#inputs, 'normal', direction, labels), direction) ??
      this.#profilesAllow(endpoint.spec.profiles ?? [], direction)
    );
  }

  #toHost(): Outcome {
    const action = this.#inputs.felixConfiguration?.spec.defaultEndpointToHostAction ?? 'Drop';
    return action === 'Drop' ? 'drop' : 'accept';
  }

  #isOwnSource(): boolean {
    const endpoint = this.#local(this.#packet.inputInterface);
    const own = endpoint?.spec.ipNetworks ?? [];
    return own.some((net) => covers(net, this.#packet.source));
  }

  #isTunnel(): boolean {
    const { protocol, destinationPort } = this.#packet;
    return protocol === 4 || (protocol === 17 && destinationPort === 4789);
  }

  #local(interfaceName: string): WorkloadEndpoint | undefined {
    return this.#inputs.localEndpoints.find(({ spec }) => spec.interfaceName === interfaceName);
  }

  #allows(interfaceName: string, direction: Direction): boolean {
    const endpoint = this.#local(interfaceName);
    if (endpoint === undefined) return false;
    const labels = endpointLabels(endpoint, this.#profileOf);
    return (
      this.#decided(tiersOf(this.#inputs, 'normal', direction, labels), direction) ??
      this.#profilesAllow(endpoint.spec.profiles ?? [], direction)
    );
  }

  /** Undefined: no tier decides. */
  #decided(tiers: readonly OneTier[], direction: Direction): boolean | undefined {
    for (const { policies, defaultAction } of tiers) {
      if (policies.length === 0) continue;
      const decision = this.#tier(policies, direction);
      if (decision !== undefined && decision !== 'Pass') return decision === 'Allow';
      if (decision === undefined && defaultAction === 'Deny') return false;
    }
    return undefined;
  }

  #tier(policies: readonly AnyPolicy[], direction: Direction): PolicyRule['action'] | undefined {
    for (const policy of policies) {
      const namespace = policy.kind === 'NetworkPolicy' ? (policy.metadata.namespace ?? '') : '';
      const decision = this.#rules.decision(policy.spec[direction] ?? [], namespace);
      if (decision !== undefined) return decision;
    }
    return undefined;
  }

  #profilesAllow(profiles: readonly string[], direction: Direction): boolean {
    for (const name of profiles) {
      const profile = this.#profileOf(name);
      if (profile === undefined) return false;
      const decision = this.#profileDecision(profile[direction] ?? []);
      if (decision !== undefined) return decision === 'Allow';
    }
    return false;
  }

  // There is no tier to pass to: what passes is looked at by the next profile.
  #profileDecision(rules: readonly PolicyRule[]): 'Allow' | 'Deny' | undefined {
    const decision = this.#rules.decision(rules, '');
    return decision === 'Allow' || decision === 'Deny' ? decision : undefined;
  }
}

function isKnown(state: Packet['state']): boolean {
  return state === 'established' || state === 'related';
}
