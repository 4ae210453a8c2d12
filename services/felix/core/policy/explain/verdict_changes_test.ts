import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnyResource, parseResource, type WorkloadEndpoint } from '@calico/model';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import { worlds } from '../random/worlds.ts';
import { judge } from '../reference/judge.ts';
import { NO_INPUTS } from '../sample_inputs.ts';
import { verdictChanges } from './verdict_changes.ts';
import { changedWorld } from './world_change.ts';

const API = 'projectcalico.org/v3';

function pod(name: string, index: number, node: string, labels: Record<string, string>) {
  return parseResource({
    apiVersion: API,
    kind: 'WorkloadEndpoint',
    metadata: { name: `${node}-k8s-${name}-eth0`, namespace: 'default', labels },
    spec: {
      orchestrator: 'k8s',
      node,
      pod: name,
      endpoint: 'eth0',
      ipNetworks: [`10.0.0.${index}/32`],
      interfaceName: `cali${name}`,
      profiles: ['kns.default'],
    },
  }) as WorkloadEndpoint;
}

const PODS = [
  pod('web', 1, 'here', { role: 'web' }),
  pod('near', 2, 'here', {}),
  pod('far', 3, 'there', { role: 'client' }),
];
const EMPTY: PolicyInputs = {
  ...NO_INPUTS,
  node: 'here',
  localEndpoints: PODS.slice(0, 2),
  workloadEndpoints: PODS,
};

function policy(spec: object): AnyResource {
  const metadata = { name: 'web', namespace: 'default' };
  return parseResource({ apiVersion: API, kind: 'NetworkPolicy', metadata, spec });
}

function changes(before: PolicyInputs, after: PolicyInputs): string[] {
  return [...verdictChanges(before, after, () => 'eth0')]
    .filter((one) => one !== undefined)
    .map(
      ({ from, to, what, allowedAfter, because }) =>
        `${from} > ${to} ${what}: ${allowedAfter ? 'allowed' : 'denied'} (${because})`,
    );
}

const ALLOW = policy({
  selector: "role == 'web'",
  ingress: [
    {
      action: 'Allow',
      protocol: 'TCP',
      source: { selector: "role == 'client'" },
      destination: { ports: [80] },
    },
  ],
});

test('a new policy: whom it closes out, and whom it lets in still', () => {
  const after = changedWorld(EMPTY, { put: [ALLOW], removed: [] });
  const denied = 'denied (tier default: default action Deny)';
  assert.deepEqual(changes(EMPTY, after), [
    `default/near > default/web everything: ${denied}`,
    `default/far > default/web TCP, other ports: ${denied}`,
    `default/far > default/web UDP, other ports: ${denied}`,
    `default/far > default/web ICMP: ${denied}`,
    `outside > default/web everything: ${denied}`,
  ]);
  // The other node says nothing of it: the pod that is closed is not its own.
  assert.deepEqual(changes({ ...EMPTY, node: 'there' }, { ...after, node: 'there' }), []);
});

test('a policy that goes, and one that changes nothing', () => {
  const before = changedWorld(EMPTY, { put: [ALLOW], removed: [] });
  const key = { kind: 'NetworkPolicy', namespace: 'default', name: 'web' };
  const after = changedWorld(before, { put: [], removed: [key] });
  assert.equal(
    changes(before, after)[0],
    'default/near > default/web everything: allowed (Profile kns.default ingress rule 1 Allow)',
  );
  assert.deepEqual(changes(before, changedWorld(before, { put: [ALLOW], removed: [] })), []);
});

test('what leaves for the outside', () => {
  const egress = [{ action: 'Deny', destination: { nets: ['192.0.2.0/24'] } }, { action: 'Allow' }];
  const put = [policy({ selector: "role == 'web'", egress, types: ['Egress'] })];
  assert.deepEqual(changes(EMPTY, changedWorld(EMPTY, { put, removed: [] })), [
    'default/web > 192.0.2.0/24 everything: denied (NetworkPolicy default/web egress rule 1 Deny)',
  ]);
});

/** The reference evaluator says the same of each change; answers how many there are. */
function confirmed(before: PolicyInputs, after: PolicyInputs): number {
  let count = 0;
  for (const change of verdictChanges(before, after, () => 'eth0')) {
    if (change === undefined) continue;
    const { packet, allowedBefore, allowedAfter } = change;
    assert.equal(judge(before, packet) === 'accept', allowedBefore);
    assert.equal(judge(after, packet) === 'accept', allowedAfter);
    count++;
  }
  return count;
}

test('what is said to change does, in any worlds', () => {
  fc.assert(
    fc.property(worlds, worlds, (one, other) => {
      const { networkPolicies, globalNetworkPolicies, tiers } = other;
      const before = { ...one, localEndpoints: one.workloadEndpoints };
      confirmed(before, { ...before, networkPolicies, globalNetworkPolicies, tiers });
    }),
    { numRuns: 60 },
  );
});

test('what is behind a service is an address, however it is written', () => {
  const metadata = { namespace: 'default', labels: { 'kubernetes.io/service-name': 'dns' } };
  const slice = parseResource({
    apiVersion: API,
    kind: 'KubernetesEndpointSlice',
    metadata: { ...metadata, name: 'dns-1' },
    spec: { addressType: 'IPv6', endpoints: [{ addresses: ['fd00:65::0'] }], ports: [] },
  }) as NonNullable<PolicyInputs['endpointSlices']>[number];
  const [web, ...others] = PODS as [WorkloadEndpoint, ...WorkloadEndpoint[]];
  const pods = [{ ...web, spec: { ...web.spec, ipNetworks: ['fd00:65::1/128'] } }, ...others];
  const before = {
    ...EMPTY,
    localEndpoints: pods,
    workloadEndpoints: pods,
    endpointSlices: [slice],
  };
  const ingress = [
    { action: 'Deny', source: { services: { name: 'dns', namespace: 'default' } } },
    { action: 'Allow', source: { notNets: ['fd00:65::/64'] } },
    { action: 'Allow' },
  ];
  const after = changedWorld(before, { put: [policy({ ingress })], removed: [] });
  assert.deepEqual(changes(before, after), [
    'fd00:65::/64 > default/web everything: denied (NetworkPolicy default/web ingress rule 1 Deny)',
  ]);
  assert.equal(confirmed(before, after), 1);
});
