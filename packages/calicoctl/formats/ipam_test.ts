import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { GetAssignmentResponseSchema, PoolUtilizationSchema } from '@calico/proto/ipam/v1/ipam';
import {
  formatAssignment,
  formatBorrowed,
  formatIpamConfiguration,
  formatUtilization,
} from './ipam.ts';

const POOL = create(PoolUtilizationSchema, {
  name: 'default-ipv4-ippool',
  cidr: '10.244.0.0/16',
  capacity: '65536',
  inUse: 5n,
  reserved: '0',
  free: '65531',
  blocks: [
    {
      cidr: '10.244.85.192/26',
      capacity: 64n,
      inUse: 0n,
      free: 64n,
      affinity: 'host:k8s-node01',
    },
    {
      cidr: '10.244.58.192/26',
      capacity: 64n,
      inUse: 5n,
      free: 59n,
      affinity: 'host:k8s-node02',
      allocations: [
        { address: '10.244.58.193', attributes: { node: 'k8s-node02', pod: 'a' } },
        {
          address: '10.244.58.194',
          handleId: 'h',
          attributes: { node: 'k8s-node01', pod: 'b', namespace: 'n' },
        },
        {
          address: '10.244.58.195',
          handleId: 'ipip-tunnel-addr-k8s-node01',
          attributes: { node: 'k8s-node01', type: 'ipipTunnelAddress' },
        },
      ],
    },
  ],
});
const LARGE = create(PoolUtilizationSchema, {
  cidr: 'fd00::/48',
  capacity: String(2n ** 80n),
  inUse: 7n,
  reserved: '0',
  free: String(2n ** 80n - 7n),
});

test('formatUtilization() shows pools, and blocks when asked', () => {
  assert.equal(
    formatUtilization([LARGE, POOL], { withBlocks: true }),
    `+----------+------------------+------------+------------+--------------+-------------------+
| GROUPING |       CIDR       | IPS TOTAL  | IPS IN USE | IPS RESERVED |     IPS FREE      |
+----------+------------------+------------+------------+--------------+-------------------+
| IP Pool  | 10.244.0.0/16    |      65536 | 5 (0%)     | 0 (0%)       | 65531 (100%)      |
| Block    | 10.244.58.192/26 |         64 | 5 (8%)     | 0 (0%)       | 59 (92%)          |
| Block    | 10.244.85.192/26 |         64 | 0 (0%)     | 0 (0%)       | 64 (100%)         |
| IP Pool  | fd00::/48        | 1.2089e+24 | 7 (0%)     | 0 (0%)       | 1.2089e+24 (100%) |
+----------+------------------+------------+------------+--------------+-------------------+
`,
  );
  assert.equal(
    formatUtilization([POOL], { withBlocks: false }),
    `+----------+---------------+-----------+------------+--------------+--------------+
| GROUPING |     CIDR      | IPS TOTAL | IPS IN USE | IPS RESERVED |   IPS FREE   |
+----------+---------------+-----------+------------+--------------+--------------+
| IP Pool  | 10.244.0.0/16 |     65536 | 5 (0%)     | 0 (0%)       | 65531 (100%) |
+----------+---------------+-----------+------------+--------------+--------------+
`,
  );
});

test('formatBorrowed() shows what is used out of the blocks of others', () => {
  assert.equal(
    formatBorrowed([POOL]),
    `+---------------+----------------+------------------+-------------+-------------------+-----------------------------+
|      IP       | BORROWING-NODE |      BLOCK       | BLOCK OWNER |       TYPE        |        ALLOCATED-TO         |
+---------------+----------------+------------------+-------------+-------------------+-----------------------------+
| 10.244.58.194 | k8s-node01     | 10.244.58.192/26 | k8s-node02  | pod               | n/b                         |
| 10.244.58.195 | k8s-node01     | 10.244.58.192/26 | k8s-node02  | ipipTunnelAddress | ipip-tunnel-addr-k8s-node01 |
+---------------+----------------+------------------+-------------+-------------------+-----------------------------+
`,
  );
  assert.equal(formatBorrowed([LARGE]), 'No borrowed IPs found.\n');
});

test('formatAssignment() says who holds an address', () => {
  const taken = create(GetAssignmentResponseSchema, {
    assigned: true,
    handleId: 'k8s-pod-network.1',
    attributes: { pod: 'p', namespace: 'default' },
  });
  assert.equal(
    formatAssignment('10.244.58.193', taken),
    `IP 10.244.58.193 is in use
Handle ID: k8s-pod-network.1
Active Owner Attributes:
  namespace: default
  pod: p
`,
  );
  const bare = create(GetAssignmentResponseSchema, { assigned: true });
  assert.equal(
    formatAssignment('10.244.58.193', bare),
    'IP 10.244.58.193 is in use\nHandle ID: <none>\nNo Active Owner attributes defined\n',
  );
  const free = create(GetAssignmentResponseSchema, { assigned: false });
  assert.equal(formatAssignment('10.244.58.193', free), '10.244.58.193 is not assigned\n');
});

test("formatIpamConfiguration() uses the names of Go's fields", () => {
  assert.equal(
    formatIpamConfiguration({ strictAffinity: false, ipCooldownSeconds: 0 }),
    `+-------------------+-------+
|     PROPERTY      | VALUE |
+-------------------+-------+
| StrictAffinity    | false |
| IPCooldownSeconds |     0 |
+-------------------+-------+
`,
  );
});
