// What policy means, straight from the resources: slow, plain, and sharing nothing with the compiler but the
// labels of endpoints. Where the two disagree, one of them is wrong.
import { type Address, formatAddress, parsePrefix, prefixContains } from '@calico/ip';
import {
  type EntityRule,
  type GlobalNetworkPolicy,
  type NetworkPolicy,
  type PolicyRule,
  parsePort,
  protocolNumber,
  type WorkloadEndpoint,
} from '@calico/model';
import { type Labels, parseSelector, prefixLabels, Selector } from '@calico/selector';
import type { PolicyInputs } from '../../../ports.ts';
import {
  endpointLabels,
  globalNetworkSetLabels,
  hostEndpointLabels,
  networkSetLabels,
  type ProfileLookup,
  profileLookup,
} from '../meaning/labels.ts';
import type { Outcome, Packet } from './packet.ts';
import { hasHostPolicy, hostEndpointAt, isFailsafe } from './reference_host.ts';

type Direction = 'ingress' | 'egress';
type AnyPolicy = NetworkPolicy | GlobalNetworkPolicy;
type Stage = 'normal' | 'untracked' | 'preDNAT';
type OneTier = { policies: readonly AnyPolicy[]; defaultAction: 'Deny' | 'Pass' };
type Named = { labels: Labels; nets: readonly string[]; ports: WorkloadEndpoint['spec']['ports'] };

/** What becomes of a packet on this node. */
export function judge(inputs: PolicyInputs, packet: Packet): Outcome {
  return new Reference(inputs, packet).judge();
}

class Reference {
  readonly #inputs: PolicyInputs;
  readonly #packet: Packet;
  readonly #profileOf: ProfileLookup;
  readonly #named: readonly Named[];

  constructor(inputs: PolicyInputs, packet: Packet) {
    this.#inputs = inputs;
    this.#packet = packet;
    this.#profileOf = profileLookup(inputs.profiles);
    const profileOf = this.#profileOf;
    this.#named = [
      ...inputs.workloadEndpoints.map((endpoint) => ({
        labels: endpointLabels(endpoint, profileOf),
        nets: endpoint.spec.ipNetworks ?? [],
        ports: endpoint.spec.ports,
      })),
      ...inputs.hostEndpoints.map((endpoint) => ({
        labels: hostEndpointLabels(endpoint, profileOf),
        nets: endpoint.spec.expectedIPs ?? [],
        ports: endpoint.spec.ports,
      })),
      ...inputs.networkSets.map((set) => ({
        labels: networkSetLabels(set, profileOf),
        nets: set.spec.nets ?? [],
        ports: undefined,
      })),
      ...inputs.globalNetworkSets.map((set) => ({
        labels: globalNetworkSetLabels(set),
        nets: set.spec.nets ?? [],
        ports: undefined,
      })),
    ];
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
    const tiers = this.#tiers(stage, direction, labels);
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
    const tiers = this.#tiers('normal', direction, labels, true);
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
      this.#decided(this.#tiers('normal', direction, labels), direction) ??
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
      this.#decided(this.#tiers('normal', direction, labels), direction) ??
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
      const decision = this.#decision(policy.spec[direction] ?? [], namespace);
      if (decision !== undefined) return decision;
    }
    return undefined;
  }

  #decision(rules: readonly PolicyRule[], namespace: string): PolicyRule['action'] | undefined {
    return rules.find((rule) => rule.action !== 'Log' && this.#matches(rule, namespace))?.action;
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
    const decision = this.#decision(rules, '');
    return decision === 'Allow' || decision === 'Deny' ? decision : undefined;
  }

  /** Those of this stage that apply, in order. */
  #tiers(stage: Stage, direction: Direction, labels: Labels, isForward = false): OneTier[] {
    const { tiers, networkPolicies, globalNetworkPolicies } = this.#inputs;
    const all: { name: string; order: number; defaultAction: 'Deny' | 'Pass' }[] = [
      { name: 'default', order: 1e6, defaultAction: 'Deny' },
      { name: 'kube-admin', order: 1000, defaultAction: 'Pass' },
      { name: 'kube-baseline', order: 1e7, defaultAction: 'Pass' },
    ];
    for (const { metadata, spec } of tiers) {
      const at = all.findIndex(({ name }) => name === metadata.name);
      const tier = {
        name: metadata.name,
        order: spec.order ?? 1e6,
        defaultAction: spec.defaultAction,
      };
      if (at < 0) all.push(tier);
      else all[at] = tier;
    }
    const policies: AnyPolicy[] = [...networkPolicies, ...globalNetworkPolicies];
    return all
      .toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1))
      .map((tier) => ({
        ...tier,
        policies: policies
          .filter(
            (policy) =>
              policy.spec.tier === tier.name &&
              stageOf(policy) === stage &&
              (!isForward || ('applyOnForward' in policy.spec && policy.spec.applyOnForward)) &&
              applies(policy, direction, labels),
          )
          .toSorted((a, b) => {
            const [x, y] = [a.spec.order ?? 1e300, b.spec.order ?? 1e300];
            return x === y ? (textKey(a) < textKey(b) ? -1 : 1) : x - y;
          }),
      }));
  }

  #matches(rule: PolicyRule, namespace: string): boolean {
    const { source, protocol } = this.#packet;
    if (rule.http !== undefined) return false;
    if (rule.ipVersion !== undefined && rule.ipVersion !== source.family) return false;
    if (rule.protocol !== undefined && protocolNumber(rule.protocol) !== protocol) return false;
    if (rule.notProtocol !== undefined && protocolNumber(rule.notProtocol) === protocol)
      return false;
    if (!this.#icmpMatches(rule)) return false;
    return (
      this.#sideMatches(rule.source ?? {}, true, namespace) &&
      this.#sideMatches(rule.destination ?? {}, false, namespace)
    );
  }

  #icmpMatches({ protocol, icmp, notICMP }: PolicyRule): boolean {
    const { source, icmpType, icmpCode } = this.#packet;
    if (icmp?.type === undefined && notICMP?.type === undefined) return true;
    if (protocol !== (source.family === 4 ? 'ICMP' : 'ICMPv6')) return false;
    const is = (terms: NonNullable<PolicyRule['icmp']>): boolean =>
      terms.type === icmpType && (terms.code ?? icmpCode) === icmpCode;
    if (icmp?.type !== undefined && !is(icmp)) return false;
    return notICMP?.type === undefined || !is(notICMP);
  }

  #sideMatches(side: EntityRule, isSource: boolean, namespace: string): boolean {
    const { source, destination, sourcePort, destinationPort } = this.#packet;
    const address = isSource ? source : destination;
    const port = isSource ? sourcePort : destinationPort;
    const { nets = [], notNets = [], ports = [], notPorts = [], notSelector } = side;
    if (nets.length > 0 && !nets.some((net) => covers(net, address))) return false;
    // Nets of the other family are not about this packet, and so the rule is not.
    if (notNets.length > 0 && notNets.every((net) => familyOf(net) !== address.family))
      return false;
    if (notNets.some((net) => covers(net, address))) return false;
    const selector = this.#selector(side, namespace);
    if (selector !== undefined && !this.#isSelected(selector, address)) return false;
    if (notSelector && this.#isSelected(parseSelector(notSelector), address)) return false;
    if (side.services && !this.#isBehind(side, isSource, namespace)) return false;
    const hit = (wanted: number | string): boolean =>
      this.#portMatches(wanted, selector, address, port);
    if (ports.length > 0 && !ports.some(hit)) return false;
    return !notPorts.some(hit);
  }

  /** As source any port will do, as destination one of the service's. */
  #isBehind({ services }: EntityRule, isSource: boolean, namespace: string): boolean {
    const { source, destination, protocol, destinationPort } = this.#packet;
    const address = isSource ? source : destination;
    return (this.#inputs.endpointSlices ?? []).some(
      ({ metadata, spec }) =>
        metadata.labels?.['kubernetes.io/service-name'] === services?.name &&
        metadata.namespace === (services?.namespace ?? namespace) &&
        spec.endpoints?.some(({ addresses }) => addresses.some((one) => covers(one, address))) ===
          true &&
        (isSource ||
          spec.ports?.some(
            (one) => one.port === destinationPort && protocolNumber(one.protocol) === protocol,
          ) === true),
    );
  }

  /** As upstream composes it: texts joined with &&. */
  #selector(side: EntityRule, namespace: string): Selector | undefined {
    const { selector, notSelector, namespaceSelector, serviceAccounts } = side;
    const parts: string[] = [];
    if (serviceAccounts?.selector) parts.push(prefixed(serviceAccounts.selector, 'pcsa.'));
    if (serviceAccounts?.names?.length) {
      const names = serviceAccounts.names.map((name) => `'${name}'`).join();
      parts.push(`projectcalico.org/serviceaccount in {${names}}`);
    }
    if (selector) parts.push(selector);
    if (namespaceSelector) {
      const text = prefixed(namespaceSelector, 'pcns.')
        .replaceAll('all()', 'has(projectcalico.org/namespace)')
        .replaceAll('global()', '!has(projectcalico.org/namespace)');
      parts.push(text);
    } else if (namespace !== '' && (parts.length > 0 || notSelector)) {
      parts.push(`projectcalico.org/namespace == '${namespace}'`);
    }
    return parts.length === 0
      ? undefined
      : parseSelector(parts.map((part) => `(${part})`).join('&&'));
  }

  #isSelected(selector: Selector, address: Address): boolean {
    return this.#named.some(
      ({ labels, nets }) => selector.matches(labels) && nets.some((net) => covers(net, address)),
    );
  }

  #portMatches(
    wanted: number | string,
    selector: Selector | undefined,
    address: Address,
    port: number,
  ): boolean {
    const { protocol } = this.#packet;
    if (![6, 17, 132].includes(protocol)) return false;
    const match = parsePort(wanted);
    if (match?.kind === 'range') return port >= match.first && port <= match.last;
    return this.#named.some(
      ({ labels, nets, ports = [] }) =>
        (selector?.matches(labels) ?? true) &&
        nets.some((net) => covers(net, address)) &&
        ports.some(
          (one) =>
            one.name === wanted && one.port === port && protocolNumber(one.protocol) === protocol,
        ),
    );
  }
}

function isKnown(state: Packet['state']): boolean {
  return state === 'established' || state === 'related';
}

function stageOf({ spec }: AnyPolicy): Stage {
  if ('doNotTrack' in spec && spec.doNotTrack) return 'untracked';
  return 'preDNAT' in spec && spec.preDNAT ? 'preDNAT' : 'normal';
}

function applies(policy: AnyPolicy, direction: Direction, labels: Labels): boolean {
  const { spec, metadata } = policy;
  const types =
    spec.types ??
    (spec.egress?.length
      ? spec.ingress?.length
        ? ['Ingress', 'Egress']
        : ['Egress']
      : ['Ingress']);
  if (!types.includes(direction === 'ingress' ? 'Ingress' : 'Egress')) return false;
  if (
    policy.kind === 'NetworkPolicy' &&
    labels['projectcalico.org/namespace'] !== metadata.namespace
  ) {
    return false;
  }
  if ('namespaceSelector' in spec && spec.namespaceSelector) {
    const text = prefixed(spec.namespaceSelector, 'pcns.')
      .replaceAll('all()', 'has(projectcalico.org/namespace)')
      .replaceAll('global()', '!has(projectcalico.org/namespace)');
    if (!parseSelector(text).matches(labels)) return false;
  }
  const accounts = spec.serviceAccountSelector;
  if (accounts && !parseSelector(prefixed(accounts, 'pcsa.')).matches(labels)) return false;
  return parseSelector(spec.selector).matches(labels);
}

function prefixed(text: string, prefix: string): string {
  return new Selector(prefixLabels(parseSelector(text).expression, prefix)).canonical;
}

function textKey({ kind, metadata }: AnyPolicy): string {
  return `${metadata.name}/${metadata.namespace ?? ''}/${kind}`;
}

function familyOf(net: string): number {
  return net.includes(':') ? 6 : 4;
}

function covers(net: string, address: Address): boolean {
  return prefixContains(
    parsePrefix(net, { hostBits: 'clear' }),
    parsePrefix(formatAddress(address)),
  );
}
