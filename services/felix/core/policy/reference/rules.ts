// Whether a rule is about a packet, for the reference evaluator.
import type { Address } from '@calico/ip';
import {
  type EntityRule,
  type PolicyRule,
  parsePort,
  protocolNumber,
  type WorkloadEndpoint,
} from '@calico/model';
import { type Labels, parseSelector, type Selector } from '@calico/selector';
import type { PolicyInputs } from '../../../ports.ts';
import type { Packet } from '../evaluator/packet.ts';
import {
  endpointLabels,
  globalNetworkSetLabels,
  hostEndpointLabels,
  networkSetLabels,
  type ProfileLookup,
} from '../meaning/labels.ts';
import { covers, familyOf } from './nets.ts';
import { sideSelector } from './selectors.ts';

type Named = { labels: Labels; nets: readonly string[]; ports: WorkloadEndpoint['spec']['ports'] };

/** One packet, asked about rules. */
export class RuleReader {
  readonly #inputs: PolicyInputs;
  readonly #packet: Packet;
  readonly #named: readonly Named[];

  constructor(inputs: PolicyInputs, packet: Packet, profileOf: ProfileLookup) {
    this.#inputs = inputs;
    this.#packet = packet;
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

  /** What the first rule about the packet says, in a policy of this namespace ('': global); logging decides nothing. */
  decision(rules: readonly PolicyRule[], namespace: string): PolicyRule['action'] | undefined {
    return rules.find((rule) => rule.action !== 'Log' && this.#matches(rule, namespace))?.action;
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
    const selector = sideSelector(side, namespace);
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
