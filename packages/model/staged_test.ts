import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from './parse.ts';
import { enforcementOf, type StagedPolicy } from './staged.ts';

function staged(kind: StagedPolicy['kind'], spec: object): StagedPolicy {
  const isGlobal = kind === 'StagedGlobalNetworkPolicy';
  const metadata = { name: 'web', ...(isGlobal ? {} : { namespace: 'shop' }) };
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata,
    spec,
  }) as StagedPolicy;
}

test('enforcementOf() is the policy of the same name, without what staged it', () => {
  const done = enforcementOf(
    staged('StagedGlobalNetworkPolicy', { ingress: [{ action: 'Deny' }] }),
  );
  assert.equal(done.kind, 'put');
  const { kind, metadata, spec } = done.resource;
  assert.deepEqual(
    [kind, metadata.name, 'stagedAction' in spec],
    ['GlobalNetworkPolicy', 'web', false],
  );
});

test('enforcementOf() a policy of Kubernetes has the name of its counterpart', () => {
  const done = enforcementOf(staged('StagedKubernetesNetworkPolicy', { podSelector: {} }));
  assert.equal(done.kind, 'put');
  const { kind, metadata } = done.resource;
  assert.deepEqual(
    [kind, metadata.namespace, metadata.name],
    ['NetworkPolicy', 'shop', 'knp.default.web'],
  );
});

test('enforcementOf() what is to be deleted, or only learns', () => {
  const key = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' };
  const gone = enforcementOf(staged('StagedNetworkPolicy', { stagedAction: 'Delete' }));
  assert.deepEqual(gone, { kind: 'removed', key });
  const learning = enforcementOf(staged('StagedNetworkPolicy', { stagedAction: 'Learn' }));
  assert.deepEqual(learning, { kind: 'nothing' });
});
