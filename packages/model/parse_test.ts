import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { KINDS, type Kind, parseResource, parseStored, ValidationError } from './mod.ts';
import { document, problemsOf } from './sample_documents.ts';

const POOL = '10.244.0.0/16';

const specOf = (kind: string, spec: unknown, metadata: object = {}) =>
  parseResource(document(kind, spec, metadata)).spec;

test('parseResource() fills defaults', () => {
  assert.deepEqual(specOf('IPPool', { cidr: '10.244.0.0/16' }), {
    cidr: '10.244.0.0/16',
    vxlanMode: 'Never',
    ipipMode: 'Never',
    natOutgoing: false,
    disabled: false,
    disableBGPExport: false,
    blockSize: 26,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
    assignmentMode: 'Automatic',
  });
  assert.partialDeepStrictEqual(specOf('IPPool', { cidr: 'fd00::/48' }), { blockSize: 122 });
  assert.partialDeepStrictEqual(specOf('BGPConfiguration', {}, { name: 'default' }), {
    asNumber: 64_512,
    nodeToNodeMeshEnabled: true,
    listenPort: 179,
  });
  assert.deepEqual(specOf('BGPConfiguration', {}, { name: 'node.a' }), {});
  assert.deepEqual(specOf('Tier', { order: 5 }), { order: 5, defaultAction: 'Deny' });
  assert.partialDeepStrictEqual(specOf('IPAMConfiguration', {}, { name: 'default' }), {
    strictAffinity: false,
    autoAllocateBlocks: true,
  });
});

test('parseResource() derives the types of a policy from its rules', () => {
  const rules = [{ action: 'Allow' }];
  for (const [spec, types] of [
    [{}, ['Ingress']],
    [{ ingress: rules }, ['Ingress']],
    [{ egress: rules }, ['Egress']],
    [{ ingress: rules, egress: rules }, ['Ingress', 'Egress']],
    [{ types: [], egress: rules }, ['Egress']],
    [{ types: ['Ingress', 'Egress'] }, ['Ingress', 'Egress']],
  ] as const) {
    assert.partialDeepStrictEqual(specOf('NetworkPolicy', spec), {
      types,
      tier: 'default',
      selector: 'all()',
    });
  }
});

test('parseResource() brings protocols and AS numbers to one form', () => {
  const spec = specOf('GlobalNetworkPolicy', {
    ingress: [
      { action: 'Deny', protocol: 'tcp' },
      { action: 'Deny', protocol: '47' },
    ],
  });
  assert.partialDeepStrictEqual(spec, { ingress: [{ protocol: 'TCP' }, { protocol: 47 }] });
  assert.partialDeepStrictEqual(specOf('BGPPeer', { peerIP: '192.0.2.1', asNumber: '1.10' }), {
    asNumber: 65_546,
  });
});

test('parseResource() reports every problem with its path', () => {
  assert.deepEqual(
    problemsOf({
      ...document('IPPool', {
        cidr: '10.244.0.1/16',
        ipipmode: 'Always',
        vxlanMode: 'always',
        natOutgoing: 'yes',
        nodeSelector: 'a ==',
      }),
      metadata: { name: 'Default' },
      extra: 1,
    }).map((problem) => problem.replace(/(spec\.nodeSelector: ).*/, '$1…')),
    [
      'extra: is not a known field; expected apiVersion, kind, metadata, spec, status',
      'metadata.name: expected at most 253 lower-case letters, digits, "-" and ".", starting and ending with a letter or digit',
      'spec.cidr: bits behind the length are set, expected "10.244.0.0/16"',
      'spec.vxlanMode: expected "Never", "Always" or "CrossSubnet"',
      'spec.natOutgoing: expected true or false',
      'spec.nodeSelector: …',
      'spec.ipipmode: is not a known field; did you mean "ipipMode"?',
    ],
  );
});

test('ValidationError names object, field, value and what would be accepted', () => {
  assert.throws(() => parseResource(document('IPPool', { cidr: '10.244.0.0/16', blockSize: 33 })), {
    name: 'ValidationError',
    message: 'Cannot accept IPPool "x": spec.blockSize 33: expected 20 to 32 in an IPv4 pool',
  });
  assert.throws(() => parseResource({ kind: 'NetworkPolicy', metadata: { name: 'p' } }), {
    message: [
      'Cannot accept NetworkPolicy "p": 2 problems',
      '  apiVersion: expected "projectcalico.org/v3"',
      '  metadata.namespace: is required: a NetworkPolicy lives in a namespace',
    ].join('\n'),
  });
});

test('members with null are absent', () => {
  const resource = parseResource({
    ...document('NetworkPolicy', { types: null, ingress: null }),
    status: null,
    metadata: { name: 'x', namespace: 'default', creationTimestamp: null },
  });
  assert.deepEqual(resource.metadata, { name: 'x', namespace: 'default' });
  assert.equal('status' in resource, false);
});

test('parseStored() keeps what it does not know and accepts contradictions', () => {
  const stored = {
    kind: 'IPPool',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name: 'a', later: 1 },
    spec: { cidr: POOL, ipipMode: 'Always', vxlanMode: 'Always', later: { deep: [1] } },
  };
  const pool = parseStored('IPPool', JSON.stringify(stored));
  assert.partialDeepStrictEqual(pool, { ...stored, spec: { ...stored.spec, blockSize: 26 } });
});

function readSpec(kind: Kind, spec: object) {
  return parseStored(kind, JSON.stringify({ metadata: { name: 'default' }, spec })).spec;
}

test('parseStored() reads AS number 0, which is refused by now, as none', () => {
  const bgp = { ipv4Address: '10.0.0.1/24', ipv4IPIPTunnelAddr: '10.244.0.1' };
  assert.deepEqual(readSpec('Node', { bgp: { ...bgp, asNumber: 0 } }), {
    bgp: { ...bgp, asNumber: undefined },
  });
  const peer = readSpec('BGPPeer', { peerIP: '10.0.0.1', asNumber: '0.0', localASNumber: 0 });
  assert.partialDeepStrictEqual(peer, { asNumber: undefined, localASNumber: undefined });
  const confederation = { identifier: 0, members: [65_001] };
  const configuration = readSpec('BGPConfiguration', { asNumber: 0, confederation });
  assert.partialDeepStrictEqual(configuration, { asNumber: 64_512, confederation: undefined });
  const operations = [{ prependASPath: { prefix: [0] } }];
  const filter = { exportV4: [{ action: 'Accept', asPathPrefix: [0], operations }] };
  assert.deepEqual(readSpec('BGPFilter', filter), filter);
});

test('parseStored() refuses wrong shapes and text that is no JSON', () => {
  assert.throws(() => parseStored('IPPool', '{"metadata":{"name":"a"},"spec":{"cidr":5}}'), {
    message:
      'Cannot accept IPPool "a": spec.cidr 5: expected a prefix with its length, for example "10.244.0.0/16"',
  });
  assert.throws(() => parseStored('IPPool', '{'), ValidationError);
  assert.throws(() => parseStored('IPPool', '[]'), ValidationError);
});

test('parseStored() reads the blocks of upstream', () => {
  const spec = {
    cidr: '10.244.58.192/26',
    affinity: 'host:k8s-node02',
    allocations: [0, null],
    unallocated: [1],
    attributes: [{ handle_id: 'net.1', secondary: { pod: 'p' } }],
    sequenceNumber: 1,
    sequenceNumberForAllocation: { '0': 1 },
    deleted: false,
  };
  const block = parseStored('IPAMBlock', JSON.stringify({ metadata: { name: 'b' }, spec }));
  assert.deepEqual(block.spec, spec);
});

test('parseResource() throws nothing but ValidationError, on any input', () => {
  const kind = fc.constantFrom(...Object.keys(KINDS), 'Nonsense', 'toString');
  const input = fc.record(
    {
      apiVersion: fc.constant('projectcalico.org/v3'),
      kind,
      metadata: fc.oneof(fc.record({ name: fc.string(), labels: fc.object() }), fc.anything()),
      spec: fc.oneof(fc.object(), fc.anything()),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(input, fc.anything()), (value) => {
      problemsOf(value);
    }),
    { numRuns: 1000 },
  );
});

const problemOf = (kind: string, spec: object): string => {
  const metadata = { name: 'a', ...(kind === 'NetworkPolicy' ? { namespace: 'shop' } : {}) };
  try {
    parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};
const rule = (side: object) => [{ action: 'Allow', ...side }];

test('parseResource() takes services where the far end is, alone, and with a namespace in global policies', () => {
  const services = { name: 'web', namespace: 'shop' };
  assert.equal(
    problemOf('NetworkPolicy', { egress: rule({ destination: { services: { name: 'web' } } }) }),
    '',
  );
  assert.equal(problemOf('GlobalNetworkPolicy', { ingress: rule({ source: { services } }) }), '');
  const wrongEnd = problemOf('NetworkPolicy', { ingress: rule({ destination: { services } }) });
  assert.match(wrongEnd, /an ingress rule names services as source/);
  const nowhere = problemOf('GlobalNetworkPolicy', {
    egress: rule({ destination: { services: { name: 'a' } } }),
  });
  assert.match(nowhere, /spec\.egress\[0\]\.destination\.services\.namespace/);
  const mixed = { services, namespaceSelector: 'all()' };
  assert.match(
    problemOf('NetworkPolicy', { egress: rule({ destination: mixed }) }),
    /none together with services/,
  );
});
