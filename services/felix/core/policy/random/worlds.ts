// Small arbitrary clusters.
import type { FelixConfiguration } from '@calico/model';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import {
  endpointSlices,
  globalNetworkSets,
  hostEndpoints,
  networkSets,
  workloadEndpoints,
} from './members.ts';
import { globalNetworkPolicies, networkPolicies, profiles, tiers } from './policies.ts';
import { API_VERSION, isValidRule, valid } from './resource.ts';
import { PLAIN, ruleOf, similarRules, some } from './rules.ts';

/** So many nets of about one length are blocks; undefined: as many as in real clusters, so none here. */
export const fewestBlocks = fc.constantFrom(undefined, 1, 2);

/** Seen from the node named "node". */
export const worlds: fc.Arbitrary<PolicyInputs> = fc
  .record({
    workloadEndpoints,
    networkPolicies,
    globalNetworkPolicies,
    tiers,
    profiles,
    networkSets,
    globalNetworkSets,
    hostEndpoints,
    endpointSlices,
    felix: fc.record(
      {
        defaultEndpointToHostAction: some(fc.constantFrom('Accept', 'Return')),
        connections: some(fc.constant('Keep')),
      },
      PLAIN,
    ),
  })
  .map(({ felix, ...rest }) => ({
    node: 'node',
    inSync: true,
    localEndpoints: rest.workloadEndpoints.filter(({ spec }) => spec.node === 'node'),
    ipPools: [],
    nodes: [],
    hostInterfaces: [
      { name: 'eth0', addresses: ['192.0.2.1'] },
      { name: 'eth1', addresses: ['192.0.2.2'] },
    ],
    felixConfiguration: valid({
      apiVersion: API_VERSION,
      kind: 'FelixConfiguration',
      metadata: { name: 'default' },
      spec: felix,
    }) as FelixConfiguration,
    ...rest,
  }));

/** Worlds in which one rule decides what comes in to every endpoint. */
export const ruleWorlds: fc.Arbitrary<PolicyInputs> = fc
  .tuple(worlds, ruleOf('ingress'), fc.constantFrom('red', undefined))
  .map(([world, one, where]) => {
    const policy = valid({
      apiVersion: API_VERSION,
      kind: where === undefined ? 'GlobalNetworkPolicy' : 'NetworkPolicy',
      metadata: { name: 'p', namespace: where },
      spec: { ingress: [one] },
    });
    return {
      ...world,
      networkPolicies: policy?.kind === 'NetworkPolicy' ? [policy] : [],
      globalNetworkPolicies: policy?.kind === 'GlobalNetworkPolicy' ? [policy] : [],
      profiles: [],
    };
  })
  .filter((world) => world.networkPolicies.length + world.globalNetworkPolicies.length > 0);

/** As `worlds`, where one policy with many rules that are alike decides. */
export const lookupWorlds: fc.Arbitrary<PolicyInputs> = fc
  .tuple(worlds, similarRules, similarRules)
  .map(([world, ingress, egress]) => {
    const policy = valid({
      apiVersion: API_VERSION,
      kind: 'GlobalNetworkPolicy',
      metadata: { name: 'p' },
      spec: {
        ingress: ingress.filter((one) => isValidRule(one)),
        egress: [...egress.filter((one) => isValidRule(one)), { action: 'Allow' }],
        types: ['Ingress', 'Egress'],
      },
    });
    return {
      ...world,
      networkPolicies: [],
      globalNetworkPolicies: policy?.kind === 'GlobalNetworkPolicy' ? [policy] : [],
      tiers: [],
    };
  });
