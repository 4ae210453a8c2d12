// Arbitrary tiers, policies and profiles.
import type { GlobalNetworkPolicy, NetworkPolicy, Profile, Tier } from '@calico/model';
import * as fc from 'fast-check';
import type { Direction } from '../meaning/ordering.ts';
import { API_VERSION, isValidRule, name, namespace, resources } from './resource.ts';
import { namespaceSelector, often, PLAIN, ruleOf, selector, similarRules, some } from './rules.ts';

const rulesOf = (direction: Direction) => {
  const one = ruleOf(direction).filter((each) => isValidRule(each, direction));
  return fc.oneof(
    { weight: 3, arbitrary: fc.array(one, { minLength: 1, maxLength: 4 }) },
    { weight: 2, arbitrary: similarRules.map((all) => all.filter((each) => isValidRule(each))) },
  );
};
const policySpec = {
  tier: fc.constantFrom('default', 'default', 'default', 'first', 'first', 'nowhere'),
  order: some(fc.constantFrom(1, 2)),
  selector: fc.oneof(fc.constant('all()'), selector),
  serviceAccountSelector: some(fc.constant('has(team)')),
  ingress: often(rulesOf('ingress')),
  egress: often(rulesOf('egress')),
};
/** How policies for host endpoints differ from others. */
const hostPolicy = fc.constantFrom(
  {},
  {},
  { applyOnForward: true },
  { applyOnForward: true, doNotTrack: true },
  { applyOnForward: true, preDNAT: true },
);
export const networkPolicies = resources<NetworkPolicy>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('NetworkPolicy'),
    metadata: fc.record({ name, namespace }, PLAIN),
    spec: fc.record(policySpec, PLAIN),
  }),
  3,
);
export const globalNetworkPolicies = resources<GlobalNetworkPolicy>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('GlobalNetworkPolicy'),
    metadata: fc.record({ name }, PLAIN),
    spec: fc
      .tuple(
        fc.record({ ...policySpec, namespaceSelector: some(namespaceSelector) }, PLAIN),
        hostPolicy,
      )
      .map(([policy, flags]) => ({ ...policy, ...flags })),
  }),
  2,
);
export const tiers = resources<Tier>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('Tier'),
    metadata: fc.record({ name: fc.constantFrom('first', 'default') }, PLAIN),
    spec: fc.record(
      {
        order: some(fc.constantFrom(1, 2_000_000)),
        defaultAction: fc.constantFrom('Deny', 'Pass'),
      },
      PLAIN,
    ),
  }),
  2,
);
export const profiles = resources<Profile>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('Profile'),
    metadata: fc.record({ name: fc.constantFrom('kns.red', 'ksa.red.web', 'own') }, PLAIN),
    spec: fc.record(
      {
        ingress: some(rulesOf('ingress')),
        egress: some(rulesOf('egress')),
        labelsToApply: some(
          fc.constantFrom(
            { role: 'a' },
            { 'pcsa.team': 't' },
            { 'pcns.projectcalico.org/name': 'red' },
          ),
        ),
      },
      PLAIN,
    ),
  }),
  3,
);
