import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import { type FelixConfiguration, parseResource, type WorkloadEndpoint } from '@calico/model';
import { probePacket } from '../core/policy/explain/probe_packet.ts';
import { NO_INPUTS } from '../core/policy/sample_inputs.ts';
import type { PolicyInputs } from '../ports.ts';
import { DeniedLog } from './denied_log.ts';

const API = 'projectcalico.org/v3';

function inputs(deniedLog: 'Enabled' | 'Disabled'): PolicyInputs {
  const pod = parseResource({
    apiVersion: API,
    kind: 'WorkloadEndpoint',
    metadata: { name: 'n1-k8s-web-eth0', namespace: 'default' },
    spec: {
      orchestrator: 'k8s',
      node: 'n1',
      pod: 'web',
      endpoint: 'eth0',
      ipNetworks: ['10.0.0.2/32'],
    },
  }) as WorkloadEndpoint;
  const felixConfiguration = parseResource({
    apiVersion: API,
    kind: 'FelixConfiguration',
    metadata: { name: 'default' },
    spec: { deniedLog },
  }) as FelixConfiguration;
  return {
    ...NO_INPUTS,
    node: 'n1',
    workloadEndpoints: [pod],
    felixConfiguration,
  };
}

const bytes = probePacket({
  source: parseAddress('192.0.2.1'),
  destination: parseAddress('10.0.0.2'),
  protocol: 6,
  sourcePort: 40_000,
  destinationPort: 80,
  icmpType: 0,
  icmpCode: 0,
});

test('what is denied is said with names, as long as it is configured, and not without bounds', () => {
  const lines: unknown[] = [];
  let [state, opened, closed, count] = [inputs('Disabled'), 0, 0, 1];
  const say = (message: string, fields = {}): void => void lines.push([message, fields]);
  const denied = new DeniedLog({
    open: () => {
      opened++;
      return {
        read: () => ({
          packets: Array.from({ length: count }, () => ({ prefix: 'tier default', bytes })),
          isOverrun: false,
        }),
        close: () => void closed++,
      };
    },
    inputs: () => state,
    ruleset: () => undefined,
    log: { debug: say, info: say, warn: say, error: say },
    clock: new FakeClock(0),
    signal: new AbortController().signal,
  });
  denied.look();
  assert.deepEqual([lines.length, opened], [0, 0]);
  state = inputs('Enabled');
  denied.look();
  assert.deepEqual(lines, [
    [
      'denied by policy',
      {
        from: '192.0.2.1',
        to: 'default/web (10.0.0.2)',
        protocol: 'TCP',
        port: 80,
        by: 'tier default',
      },
    ],
  ]);
  lines.length = 0;
  count = 1000;
  denied.look();
  assert.equal(lines.length, 11);
  assert.deepEqual(lines[10], [
    'denied by policy: more than are named',
    { more: 990, isOverrun: false },
  ]);
  state = inputs('Disabled');
  denied.look();
  assert.deepEqual([opened, closed], [1, 1]);
});

test('a kernel without the log is said once', () => {
  const lines: string[] = [];
  const say = (message: string): void => void lines.push(message);
  const denied = new DeniedLog({
    open: () => {
      throw new Error('no such thing');
    },
    inputs: () => inputs('Enabled'),
    ruleset: () => undefined,
    log: { debug: say, info: say, warn: say, error: say },
    clock: new FakeClock(0),
    signal: new AbortController().signal,
  });
  denied.look();
  denied.look();
  assert.deepEqual(lines, ['deniedLog cannot be read from the kernel']);
});
