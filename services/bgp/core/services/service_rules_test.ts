import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import type { KubernetesEndpointSlice, KubernetesService } from '@calico/model';
import { endpointSlice, service } from '../../testing/resources.ts';
import { readinessOf } from './readiness.ts';
import { judgeAddress, reasonText, type ServiceRules } from './service_rules.ts';
import { viewService } from './service_view.ts';

const RULES: ServiceRules = {
  node: 'here',
  isExcluded: false,
  ranges: {
    cluster: prefixes('10.96.0.0/12', 'fd00:96::/112'),
    external: prefixes('203.0.113.0/24', '198.51.100.7/32'),
    'load balancer': prefixes('192.0.2.0/24', '192.0.2.9/32'),
  },
  aggregatesLoadBalancers: true,
  localPreference: { 4: 100, 6: 100 },
};

function prefixes(...texts: readonly string[]) {
  return texts.map((text) => parsePrefix(text));
}

const SPEC = {
  clusterIP: '10.96.0.1',
  clusterIPs: ['10.96.0.1', 'fd00:96::1'],
  externalIPs: ['203.0.113.1', '198.51.100.7', '8.8.8.8'],
};
const INGRESS = ['192.0.2.1', '192.0.2.9', '203.0.113.2'];

/** Reasons in the order of the addresses above; slices have endpoints on nodes. */
function reasons(
  spec: object,
  nodes: readonly string[],
  rules: Partial<ServiceRules> = {},
  nodes6: readonly string[] = [],
): string[] {
  const view = viewService(service('web', { ...SPEC, ...spec }, INGRESS) as KubernetesService);
  const slices = [endpointSlice('s4', 'web', nodes), endpointSlice('s6', 'web', nodes6, 'IPv6')];
  const readiness = readinessOf(slices as KubernetesEndpointSlice[], RULES.node);
  return view.addresses.map((address) =>
    judgeAddress(address, view, readiness, { ...RULES, ...rules }),
  );
}

function byFamily(four: string, six: string): string[] {
  return [four, six, four, four, 'outside', four, four, 'outside'];
}

const LOCAL = { externalTrafficPolicy: 'Local' };

test('judgeAddress() announces every address of a local service that is in a range for its sort', () => {
  const [here, none] = ['endpoint-here', 'no-endpoint-here'];
  assert.deepEqual(reasons(LOCAL, ['far', 'here']), byFamily(here, none));
  assert.deepEqual(reasons(LOCAL, ['far', '!here']), byFamily(none, none));
  assert.deepEqual(reasons(LOCAL, [], {}, ['here']), byFamily(none, here));
});

test('judgeAddress() announces addresses of other services where they are listed themselves', () => {
  const expected = ['in-range', 'in-range', 'in-range', 'listed', 'outside'];
  const aggregated = [...expected, 'in-range', 'listed', 'outside'];
  assert.deepEqual(reasons({ externalTrafficPolicy: 'Cluster' }, ['far']), aggregated);
  assert.deepEqual(reasons({}, []), aggregated);
});

test('judgeAddress() announces addresses of load balancers that nobody aggregates, with an endpoint anywhere', () => {
  const rules = { aggregatesLoadBalancers: false };
  assert.deepEqual(reasons({}, ['far'], rules).slice(5), ['not-aggregated', 'listed', 'outside']);
  assert.deepEqual(reasons({}, ['!far'], rules).slice(5), ['no-endpoint', 'listed', 'outside']);
  assert.deepEqual(reasons({}, ['far'], rules)[2], 'in-range', 'other ranges stay as they are');
});

test('judgeAddress() announces nothing from a node that is excluded', () => {
  const found = reasons(LOCAL, ['here'], { isExcluded: true });
  assert.deepEqual([...new Set(found)], ['excluded']);
  assert.match(reasonText('excluded'), /exclude-from-external-load-balancers/);
});

function addressesOf(spec: Readonly<Record<string, unknown>>): number {
  return viewService(service('web', spec, INGRESS) as KubernetesService).addresses.length;
}

test('viewService() finds no addresses where kube-proxy does nothing', () => {
  assert.equal(addressesOf({ clusterIP: 'None', externalIPs: ['203.0.113.1'] }), 0);
  assert.equal(addressesOf({ clusterIP: '' }), 0);
  assert.equal(addressesOf({ type: 'ExternalName', externalIPs: ['203.0.113.1'] }), 0);
  assert.equal(addressesOf({ type: 'NodePort' }), 4);
});
