// For tests.
import type { PolicyInputs } from '../../ports.ts';

/** Of a cluster in which nothing is. */
export const NO_INPUTS: PolicyInputs = {
  node: 'node',
  inSync: true,
  localEndpoints: [],
  workloadEndpoints: [],
  networkPolicies: [],
  globalNetworkPolicies: [],
  tiers: [],
  profiles: [],
  networkSets: [],
  globalNetworkSets: [],
  ipPools: [],
  nodes: [],
  felixConfiguration: undefined,
  hostEndpoints: [],
};
