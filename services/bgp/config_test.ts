import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix } from '@calico/ip';
import { ConfigError, readSettings } from '@calico/process';
import { settings } from './config.ts';

function read(text: string): string[] {
  const environment = { CALICO_NODENAME: 'a', CALICO_ADVERTISE_CLUSTER_IPS: text };
  return readSettings(settings, environment).advertiseClusterIPs.map(formatPrefix);
}

test('CALICO_ADVERTISE_CLUSTER_IPS is prefixes, comma-separated', () => {
  assert.deepEqual(read(''), []);
  assert.deepEqual(read('10.96.7.0/12, fd00:96::/108'), ['10.96.0.0/12', 'fd00:96::/108']);
  assert.throws(
    () => read('10.96.0.0/12,10.97'),
    (error) =>
      error instanceof ConfigError &&
      /^CALICO_ADVERTISE_CLUSTER_IPS="10.96.0.0\/12,10.97": .*"10.97"/.test(error.problems.join()),
  );
});
