import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { type Metrics, noMetrics } from '@calico/telemetry';
import type { PeerStatus } from '../ports.ts';
import { publishRouters } from './metrics.ts';

const ROUTER: PeerStatus = {
  key: '10.0.0.1:1790',
  address: parseAddress('10.0.0.1'),
  port: 1790,
  remoteAsn: 65_001,
  type: 'global',
  state: 'Established',
  since: 0,
  lastError: '',
  refusal: '',
  losses: 2,
  lastLoss: undefined,
  received: 3,
  rejected: 4,
  stale: 0,
  advertised: 5,
  remoteNode: undefined,
  bfd: undefined,
  agreed: [],
};

test('publishRouters() has values for peers outside the cluster, and none for nodes', () => {
  const lines: string[] = [];
  const observeEach: Metrics['observeEach'] = (name, _description, read) => {
    for (const { value, labels } of read()) {
      const { peer, asn } = labels;
      lines.push([name.replace('calico_bgp_router_', ''), peer, asn, value].join(' '));
    }
  };
  const node = { ...ROUTER, key: '10.0.0.2', remoteNode: 'b' };
  publishRouters({ ...noMetrics(), observeEach }, () => [ROUTER, node]);
  assert.deepEqual(lines, [
    'up 10.0.0.1:1790 65001 1',
    'losses 10.0.0.1:1790 65001 2',
    'prefixes_received 10.0.0.1:1790 65001 3',
    'prefixes_rejected 10.0.0.1:1790 65001 4',
    'prefixes_advertised 10.0.0.1:1790 65001 5',
  ]);
});
