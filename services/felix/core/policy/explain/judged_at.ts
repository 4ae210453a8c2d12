// By what a packet is judged on this node, in order: pods, and host endpoints where their normal policy applies. Early
// policies (doNotTrack, preDNAT) and failsafe ports are not among them: they are found in the rules that matched.
import type { HostEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import type { Packet } from '../evaluator/packet.ts';
import { bindHostEndpoints } from '../host/host_endpoints.ts';
import { hasDefault, limited, POINTS, type Point } from '../host/host_programs.ts';
import {
  DEFAULT_ALLOW,
  endpointLabels,
  hostEndpointLabels,
  type ProfileLookup,
} from '../meaning/labels.ts';
import { applicable, type Direction, type OrderedTier, orderTiers } from '../meaning/ordering.ts';
import type { Judged } from './direction.ts';
import { nameOf } from './owners.ts';

export type Judgement = { readonly direction: Direction; readonly judged: Judged };

export function judgedAt(
  inputs: PolicyInputs,
  { inputInterface: from, outputInterface: to }: Packet,
  profileOf: ProfileLookup,
): Judgement[] {
  const { networkPolicies, globalNetworkPolicies } = inputs;
  const tiers = orderTiers(inputs.tiers, [...networkPolicies, ...globalNetworkPolicies]);
  const pod = (direction: Direction, device: string) =>
    podJudgement(inputs, direction, device, tiers, profileOf);
  const host = (point: Point, device: string) =>
    hostJudgement(inputs, point, device, tiers, profileOf);
  // The host reaches its pods, whatever their policy.
  if (from === '') return isPod(inputs, to) ? [] : host(POINTS.out, to);
  if (to === '') return isPod(inputs, from) ? pod('egress', from) : host(POINTS.in, from);
  return [
    ...host(POINTS.forwardIn, from),
    ...pod('egress', from),
    ...pod('ingress', to),
    ...host(POINTS.forwardOut, to),
  ];
}

function isPod({ localEndpoints }: PolicyInputs, device: string): boolean {
  return localEndpoints.some(({ spec }) => spec.interfaceName === device);
}

function podJudgement(
  { localEndpoints }: PolicyInputs,
  direction: Direction,
  device: string,
  tiers: readonly OrderedTier[],
  profileOf: ProfileLookup,
): Judgement[] {
  const endpoint = localEndpoints.find(({ spec }) => spec.interfaceName === device);
  if (endpoint === undefined) return [];
  const judged = {
    endpoint: nameOf(endpoint),
    tiers: applicable(tiers, direction, endpointLabels(endpoint, profileOf)),
    profiles: endpoint.spec.profiles ?? [],
    profileOf,
  };
  return [{ direction, judged }];
}

function hostJudgement(
  inputs: PolicyInputs,
  point: Point,
  device: string,
  tiers: readonly OrderedTier[],
  profileOf: ProfileLookup,
): Judgement[] {
  if (device === 'lo' || isPod(inputs, device)) return [];
  const { node, hostEndpoints, hostInterfaces = [] } = inputs;
  const { named, rest } = bindHostEndpoints(node, hostEndpoints, hostInterfaces);
  const endpoint: HostEndpoint | undefined = named.get(device) ?? rest;
  if (endpoint === undefined) return [];
  const own = applicable(
    tiers.map((tier) => limited(tier, point)),
    point.direction,
    hostEndpointLabels(endpoint, profileOf),
  );
  if (own.length === 0 && hasDefault(point)) return [];
  const profiles = hasDefault(point) ? [DEFAULT_ALLOW] : (endpoint.spec.profiles ?? []);
  const judged = { endpoint: nameOf(endpoint), tiers: own, profiles, profileOf };
  return [{ direction: point.direction, judged }];
}
