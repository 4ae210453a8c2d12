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
  isPassing: false,
  agreed: [],
};

test('publishRouters() has values for routers, and none for nodes nor for those who pass by', () => {
  const lines: string[] = [];
  const observeEach: Metrics['observeEach'] = (name, _description, read) => {
    for (const { value, labels } of read()) {
      lines.push([name.replace('calico_bgp_router_', ''), JSON.stringify(labels), value].join(' '));
    }
  };
  const node = { ...ROUTER, key: '10.0.0.2', remoteNode: 'b' };
  const guest = { ...ROUTER, key: '10.0.0.3', isPassing: true };
  publishRouters(
    { ...noMetrics(), observeEach },
    () => [ROUTER, node, guest],
    () => ({
      treatAsWithdraw: 6,
      attributeDiscard: 7,
      sessionReset: 8,
    }),
  );
  assert.deepEqual(lines, [
    'up {"peer":"10.0.0.1:1790"} 1',
    'losses {"peer":"10.0.0.1:1790"} 2',
    'prefixes_received {"peer":"10.0.0.1:1790"} 3',
    'prefixes_rejected {"peer":"10.0.0.1:1790"} 4',
    'prefixes_advertised {"peer":"10.0.0.1:1790"} 5',
    'malformed_updates {"peer":"10.0.0.1:1790","treatment":"treat-as-withdraw"} 6',
    'malformed_updates {"peer":"10.0.0.1:1790","treatment":"attribute-discard"} 7',
    'malformed_updates {"peer":"10.0.0.1:1790","treatment":"session-reset"} 8',
  ]);
});
