import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EntityRule, parseResource, type WorkloadEndpoint } from '@calico/model';
import { endpointLabels, ProfileBook, profileLookup } from './labels.ts';
import { sideSelector } from './selectors.ts';

test('endpointLabels() adds what Calico knows, and what profiles lend, the first one first', () => {
  const endpoint = parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: 'n-k8s-p-eth0', namespace: 'red', labels: { a: 'own' } },
    spec: {
      orchestrator: 'k8s',
      node: 'n',
      pod: 'p',
      endpoint: 'eth0',
      serviceAccountName: 'sa',
      profiles: ['one', 'two', 'kns.red', 'nowhere'],
    },
  }) as WorkloadEndpoint;
  const profiles = ['one', 'two'].map((name) => ({
    apiVersion: 'projectcalico.org/v3' as const,
    kind: 'Profile' as const,
    metadata: { name },
    spec: { labelsToApply: { a: name, b: name, [name]: '' } },
  }));
  assert.deepEqual(endpointLabels(endpoint, profileLookup(profiles)), {
    a: 'own',
    b: 'one',
    one: '',
    two: '',
    'pcns.projectcalico.org/name': 'red',
    'pcns.kubernetes.io/metadata.name': 'red',
    'projectcalico.org/namespace': 'red',
    'projectcalico.org/orchestrator': 'k8s',
    'projectcalico.org/serviceaccount': 'sa',
  });
});

test('ProfileBook keeps what is stored; what is implied stands in for it and is not kept', () => {
  const profile = {
    apiVersion: 'projectcalico.org/v3' as const,
    kind: 'Profile' as const,
    metadata: { name: 'kns.red' },
    spec: { labelsToApply: { 'pcns.team': 'red' } },
  };
  const book = new ProfileBook();
  const implied = book.lookup('kns.red');
  assert.deepEqual(implied?.labelsToApply, {
    'pcns.projectcalico.org/name': 'red',
    'pcns.kubernetes.io/metadata.name': 'red',
  });
  assert.notEqual(book.lookup('kns.red'), implied);
  assert.deepEqual(book.change([], [profile]), new Set(['kns.red']));
  assert.equal(book.lookup('kns.red'), profile.spec);
  book.change([profile], []);
  assert.deepEqual(book.lookup('kns.red'), implied);
  assert.equal(book.lookup('nowhere'), undefined);
});

const NAMESPACE = 'projectcalico.org/namespace';
const SIDES: readonly (readonly [EntityRule, string, string | undefined])[] = [
  [{}, 'red', undefined],
  [{ nets: ['10.0.0.0/8'] }, 'red', undefined],
  [{ selector: 'has(a)' }, '', 'has(a)'],
  [{ selector: 'has(a)' }, 'red', `(${NAMESPACE} == "red" && has(a))`],
  [{ notSelector: 'has(a)' }, 'red', `${NAMESPACE} == "red"`],
  [{ notSelector: 'has(a)' }, '', undefined],
  [{ namespaceSelector: 'all()' }, 'red', `has(${NAMESPACE})`],
  [{ namespaceSelector: 'global()', selector: 'has(a)' }, 'red', `(!has(${NAMESPACE}) && has(a))`],
  [{ namespaceSelector: "x == 'y' || !has(z)" }, '', '(pcns.x == "y" || !has(pcns.z))'],
  [
    { serviceAccounts: { names: ['b', 'a'], selector: 'has(t)' } },
    'red',
    `(${NAMESPACE} == "red" && has(pcsa.t) && projectcalico.org/serviceaccount in {"a", "b"})`,
  ],
];

test('sideSelector() limits rules of namespaced policies, and turns namespaces into labels', () => {
  for (const [side, namespace, canonical] of SIDES) {
    assert.equal(sideSelector(side, namespace)?.canonical, canonical, JSON.stringify(side));
  }
});
