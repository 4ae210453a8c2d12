import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  CheckedAllocationSchema,
  CheckedBlockSchema,
  CheckProblemKind,
  CheckProblemSchema,
  CheckSummarySchema,
} from '@calico/proto/ipam/v1/admin';
import { type Check, formatCheck } from './ipam_check.ts';
import { formatReport, parseReport } from './ipam_report.ts';

const SEQUENCE = 1_790_000_000_123_456_789n;

const CHECK: Check = {
  summary: create(CheckSummarySchema, {
    revision: 812n,
    clusterGuid: 'g',
    clusterType: 'typescript',
    calicoVersion: '0.1.0',
    clusterInformationRevision: 3n,
    activePools: ['10.244.0.0/16'],
    nodeTunnelAddresses: 1n,
    workloadAddresses: 1n,
    addressesInUse: 2n,
    handlesWithAddresses: 3n,
  }),
  blocks: [
    create(CheckedBlockSchema, { cidr: '10.244.58.192/26', affinity: 'host:k8s-node02' }),
    create(CheckedBlockSchema, { cidr: '10.244.9.0/26' }),
  ],
  allocations: [
    create(CheckedAllocationSchema, {
      address: '10.244.58.193',
      handleId: 'net.a',
      sequenceNumber: SEQUENCE,
      block: '10.244.58.192/26',
      attributes: { node: 'k8s-node02', pod: 'a', namespace: 'default' },
      inUse: true,
      owners: ['Workload(default/a)'],
    }),
    create(CheckedAllocationSchema, {
      address: '10.244.58.194',
      handleId: 'net.b',
      sequenceNumber: SEQUENCE + 1n,
      block: '10.244.58.192/26',
      attributes: { node: 'k8s-node01' },
      borrowed: true,
    }),
    create(CheckedAllocationSchema, {
      address: '10.244.58.195',
      block: '10.244.58.192/26',
      coolingDown: true,
    }),
  ],
  problems: [
    create(CheckProblemSchema, {
      kind: CheckProblemKind.LEAKED_ADDRESS,
      subject: '10.244.58.194',
      message: '10.244.58.194 leaked',
    }),
    create(CheckProblemSchema, {
      kind: CheckProblemKind.LEAKED_HANDLE,
      subject: 'net.lost',
      message: 'Handle "net.lost" holds nothing',
      revision: 55n,
    }),
  ],
};

test('formatCheck() has the lines of upstream', () => {
  assert.equal(
    formatCheck(CHECK, { allIps: false, problemIps: false }),
    `Checking IPAM for inconsistencies...

Loading all IPAM blocks...
Found 2 IPAM blocks.
 IPAM block 10.244.58.192/26 affinity=host:k8s-node02:
 IPAM block 10.244.9.0/26 affinity=<none>:
IPAM blocks record 3 allocations.

Loading all IPAM pools...
  10.244.0.0/16
Found 1 active IP pools.

Loading all nodes.
Found 1 node tunnel IPs.

Loading all service load balancer IPs.
Found 0 service load balancer(s).

Loading all workload endpoints.
Found 1 workload IPs.
Workloads and nodes are using 2 IPs.

Loading all handles
Looking for top (up to 20) nodes by allocations...
  k8s-node01 has 1 allocations
  k8s-node02 has 1 allocations
Node with most allocations has 1; median is 1

Scanning for IPs that are allocated but not actually in use...
Found 1 IPs that are allocated in IPAM but not actually in use.

Scanning for IPs that are in use by a workload or node but not allocated in IPAM...
Found 0 in-use IPs that are not in active IP pools.
Found 0 in-use IPs that are in active IP pools but have no corresponding IPAM allocation.

Scanning for IPAM handles with no matching IPs...
Found 1 handles with no matching IPs (and 3 handles with matches).

Scanning for IPs with missing handle...
Found 0 handles mentioned in blocks with no matching handle resource.
Found 0 handles that count other IPs than blocks hold for them.

Validating IPAMBlock structures...
Found 0 invalid IPAMBlocks.

Comparing blocks with affinities, pools and nodes...
Found 0 blocks that are in no IP pool.
Found 0 affinities that contradict their block, or have none.
Found 0 blocks whose node has no record of them.
Found 0 nodes that hold blocks and do not exist.
Found 0 IPs with two owners.
Found 0 records that cannot be read.

Check complete; found 2 problems.
`,
  );
});

test('formatCheck() names problems, and all addresses, when asked', () => {
  const problems = formatCheck(CHECK, { allIps: false, problemIps: true });
  assert.match(problems, /not actually in use\.\.\.\n {2}10\.244\.58\.194 leaked\nFound 1 IPs/);
  assert.doesNotMatch(problems, /allocated;/);
  const all = formatCheck(CHECK, { allIps: true, problemIps: false });
  assert.match(
    all,
    / {2}10\.244\.58\.193 allocated; handle net\.a; in use by Workload\(default\/a\)\n/,
  );
  assert.match(all, / {2}10\.244\.58\.194 allocated; handle net\.b; not in use; borrowed\n/);
  assert.match(all, / {2}10\.244\.58\.195 allocated; handle <none>; cooling down\n/);
});

test('a report has the fields of upstream, and is read back with every digit', () => {
  const text = formatReport(CHECK);
  const plain = JSON.parse(text) as Record<string, Record<string, object[]>>;
  assert.deepEqual(Object.keys(plain).slice(0, 5), [
    'version',
    'clusterGUID',
    'datastoreLocked',
    'clusterInformationRevision',
    'clusterType',
  ]);
  assert.deepEqual(plain['leakedHandles'], [{ id: 'net.lost', uid: '', revision: '55' }]);
  assert.deepEqual(Object.keys(plain['allocations']?.['10.244.58.193']?.[0] ?? {}), [
    'ip',
    'handle',
    'sequenceNumber',
    'pod',
    'namespace',
    'node',
    'inUse',
    'borrowed',
    'coolingDown',
    'owners',
  ]);
  assert.match(text, /"sequenceNumber": 1790000000123456789,/);
  const report = parseReport('r', text);
  assert.deepEqual(
    report.allocations.map(({ ip, sequenceNumber, inUse }) => [ip, sequenceNumber, inUse]),
    [
      ['10.244.58.193', SEQUENCE, true],
      ['10.244.58.194', SEQUENCE + 1n, false],
      ['10.244.58.195', 0n, false],
    ],
  );
  assert.deepEqual(report.problems[1], {
    kind: CheckProblemKind.LEAKED_HANDLE,
    subject: 'net.lost',
    revision: 55n,
  });
});

test("a report of upstream's tool is read, and what is none is refused", () => {
  const report = parseReport(
    'r',
    '{"version":"v3.30","clusterGUID":"g","allocations":{"10.0.0.1":[{"ip":"10.0.0.1","handle":"h","sequenceNumber":7,"inUse":false}]},"leakedHandles":[{"id":"x","uid":null,"revision":"9"}]}',
  );
  assert.deepEqual(report.problems, [
    { kind: CheckProblemKind.LEAKED_HANDLE, subject: 'x', revision: 9n },
  ]);
  const wrong: [string, RegExp][] = [
    ['{', /Cannot read report "f": .*JSON/],
    ['[]', /expected an object/],
    ['{"version":1}', /version: expected a text/],
    ['{"version":"v","clusterGUID":"g"}', /expected an object, found undefined/],
    [
      '{"version":"v","clusterGUID":"g","allocations":{"a":[{"ip":"a","sequenceNumber":"z"}]}}',
      /sequenceNumber: expected a whole number/,
    ],
  ];
  for (const [text, message] of wrong) assert.throws(() => parseReport('f', text), message);
});
