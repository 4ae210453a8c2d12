import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  type BgpPeerStatus,
  BgpPeerStatusSchema,
  BgpPeerType,
} from '@calico/proto/events/v1/events';
import { formatNodeStatus } from './node_status.ts';

function peer(address: string, since: Date, fields: Partial<BgpPeerStatus> = {}): BgpPeerStatus {
  return create(BgpPeerStatusSchema, {
    address,
    port: 179,
    type: BgpPeerType.NODE_MESH,
    state: 'Established',
    since: { seconds: BigInt(since.getTime() / 1000), nanos: 0 },
    ...fields,
  } as BgpPeerStatus);
}

// Local time, as the table shows it.
const NOW = new Date(2026, 10, 22, 8, 0, 0);
const at = (hours: number, minutes: number, seconds: number) =>
  new Date(2026, 10, 22, hours, minutes, seconds);

test('formatNodeStatus() shows the mesh as upstream does', () => {
  const peers = [peer('192.168.80.102', at(6, 15, 15)), peer('192.168.80.101', at(6, 15, 16))];
  assert.equal(
    formatNodeStatus(peers, NOW.getTime()),
    `Calico process is running.

IPv4 BGP status
+----------------+-------------------+-------+----------+-------------+
|  PEER ADDRESS  |     PEER TYPE     | STATE |  SINCE   |    INFO     |
+----------------+-------------------+-------+----------+-------------+
| 192.168.80.101 | node-to-node mesh | up    | 06:15:16 | Established |
| 192.168.80.102 | node-to-node mesh | up    | 06:15:15 | Established |
+----------------+-------------------+-------+----------+-------------+

IPv6 BGP status
No IPv6 peers found.
`,
  );
});

test('formatNodeStatus() shows why a session is down, its date when old, ports and types', () => {
  const peers = [
    peer('fd00::2', new Date(2026, 10, 20), {
      state: 'Active',
      lastError: 'Socket: Connection refused',
      type: BgpPeerType.GLOBAL,
      port: 1790,
    }),
    peer('fd00::1', at(7, 0, 9), { type: BgpPeerType.NODE, port: 0 }),
  ];
  assert.equal(
    formatNodeStatus(peers, NOW.getTime()),
    `Calico process is running.

IPv4 BGP status
No IPv4 peers found.

IPv6 BGP status
+-------------------+---------------+-------+------------+-----------------------------------+
|   PEER ADDRESS    |   PEER TYPE   | STATE |   SINCE    |               INFO                |
+-------------------+---------------+-------+------------+-----------------------------------+
| fd00::1           | node specific | up    | 07:00:09   | Established                       |
| fd00::2 port 1790 | global        | start | 2026-11-20 | Active Socket: Connection refused |
+-------------------+---------------+-------+------------+-----------------------------------+
`,
  );
});
