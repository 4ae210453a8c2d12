import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnyResource, parseResource, type WorkloadEndpoint } from '@calico/model';
import type { PolicyInputs } from '../../../ports.ts';
import { NO_INPUTS } from '../sample_inputs.ts';
import { compile } from './compile.ts';

function resource(kind: string, name: string, spec: object, labels = {}): AnyResource {
  const metadata = { name, namespace: 'shop', labels };
  return parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
}

const POD = resource('WorkloadEndpoint', 'node-k8s-a-eth0', {
  orchestrator: 'k8s',
  node: 'node',
  pod: 'a',
  endpoint: 'eth0',
  ipNetworks: ['10.0.0.1/32'],
  interfaceName: 'calia',
}) as WorkloadEndpoint;

function slice(name: string, address: string, ports: readonly object[]): AnyResource {
  const family = address.includes(':') ? 'IPv6' : 'IPv4';
  const spec = { addressType: family, endpoints: [{ addresses: [address] }], ports };
  return resource('KubernetesEndpointSlice', name, spec, { 'kubernetes.io/service-name': 'dns' });
}

function setsOf(spec: object): Record<string, readonly string[]> {
  const slices = [
    slice('dns-1', '10.0.0.3', [{ protocol: 'UDP', port: 53 }, { port: 53 }]),
    slice('dns-2', '10.0.0.4', [{ port: 9153 }, { name: 'all' }]),
    slice('dns-3', 'fd00::3', [{ protocol: 'UDP', port: 53 }]),
  ];
  const inputs: PolicyInputs = {
    ...NO_INPUTS,
    localEndpoints: [POD],
    workloadEndpoints: [POD],
    networkPolicies: [resource('NetworkPolicy', 'p', spec)] as PolicyInputs['networkPolicies'],
    endpointSlices: slices as NonNullable<PolicyInputs['endpointSlices']>,
  };
  const { sets } = compile(inputs);
  const own = [...sets].filter(([name]) => name.startsWith('service'));
  return Object.fromEntries(own.map(([name, { elements }]) => [name, [...elements.keys()]]));
}

test('a service as destination is a set of addresses and ports for each protocol and family', () => {
  const egress = [{ action: 'Allow', destination: { services: { name: 'dns' } } }];
  assert.deepEqual(setsOf({ egress }), {
    'service4/tcp/shop/dns': ['10.0.0.3 . 53', '10.0.0.4 . 9153'],
    'service4/udp/shop/dns': ['10.0.0.3 . 53'],
    'service4/sctp/shop/dns': [],
    'service6/tcp/shop/dns': [],
    'service6/udp/shop/dns': ['fd00::3 . 53'],
    'service6/sctp/shop/dns': [],
  });
});

test('a service as source is a set of addresses for each family', () => {
  const ingress = [{ action: 'Allow', source: { services: { name: 'dns' } } }];
  assert.deepEqual(setsOf({ ingress }), {
    'service4/shop/dns': ['10.0.0.3', '10.0.0.4'],
    'service6/shop/dns': ['fd00::3'],
  });
});
