import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GlobalNetworkPolicy, parseResource } from '@calico/model';
import { policyRemarks } from './remarks.ts';

const policy = (name: string, spec: object): GlobalNetworkPolicy =>
  parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicy',
    metadata: { name },
    spec,
  }) as GlobalNetworkPolicy;

test('policyRemarks() names what has no effect, by policy, rule and field', () => {
  const readable = policy('bad', {});
  const policies = [
    policy('nowhere', { tier: 'gone' }),
    policy('web', {
      tier: 'kube-admin',
      ingress: [
        { action: 'Allow' },
        { action: 'Allow', protocol: 'TCP', http: { methods: ['GET'] } },
      ],
    }),
    { ...readable, spec: { ...readable.spec, selector: 'a = b' } },
  ];
  assert.deepEqual(policyRemarks(policies, []), [
    'GlobalNetworkPolicy bad is not enforced: it cannot be read',
    'GlobalNetworkPolicy nowhere is not enforced: tier "gone" does not exist',
    'GlobalNetworkPolicy web ingress rule 2 matches nothing: http is not supported',
  ]);
});
