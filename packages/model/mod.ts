// The projectcalico.org/v3 resources: types, defaults, validation, names and who owns which route.

export { changeProblems, ipPoolProblems } from './changes.ts';
export {
  CONVERTIBLE,
  convertDocument,
  isConvertible,
  reasonToPassOver,
} from './convert/convert.ts';
export {
  type AffinityOwner,
  affinityPath,
  blockAffinityName,
  blockPath,
  handlePath,
  IPAM_ROOT,
  type IpamPath,
  ipamBlockName,
  parseIpamPath,
  parseResourcePath,
  RESOURCE_ROOT,
  resourcePath,
  resourcePrefix,
} from './etcd_keys.ts';
export { splitCollector } from './kinds/bmp.ts';
export { SERVICE_NAME_LABEL } from './kinds/endpoint_slice.ts';
export { IPV6_LEAST_MTU } from './kinds/felix_configuration.ts';
export { splitPeerAddress } from './kinds/peer_address.ts';
export {
  type PortMatch,
  type ProtocolName,
  parsePort,
  protocolNumber,
} from './kinds/policy_rule.ts';
export { DEFAULT_TIER_ORDER } from './kinds/profile.ts';
export {
  type Consumer,
  findKind,
  KINDS,
  type Kind,
  type KindInfo,
  keyOf,
  keyText,
  keyTitle,
  type ResourceKey,
} from './kinds.ts';
export {
  hostInterfaceName,
  routerIdFromName,
  vxlanTunnelMac,
  type WorkloadEndpointIdentity,
  workloadEndpointName,
} from './names.ts';
export { parseResource, parseStored } from './parse.ts';
export { API_VERSION, type ObjectMeta, type Resource } from './resource.ts';
export type * from './resources.ts';
export {
  BGP_ROUTE_PROTOCOL,
  decideBlockRoute,
  ipPoolOf,
  podMtu,
  type RouteDecision,
  sameSubnet,
  VXLAN_DEVICES,
  VXLAN_OVERHEAD,
} from './routes.ts';
export { bgpConfigurationFor, felixConfigurationFor } from './settings.ts';
export { type Enforcement, enforcementOf, STAGED_KINDS, type StagedPolicy } from './staged.ts';
export { type Problem, problemText, ValidationError } from './validation_error.ts';
export {
  isPeerOf,
  type PeeringNode,
  workloadPeeringAddresses,
  workloadPeersOf,
} from './workload_peers.ts';
