import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { defaultIpv4PoolCidr } from './default_pool.ts';

const cidrWith = (...addresses: string[]) =>
  defaultIpv4PoolCidr(addresses.map((each) => parseAddress(each)));

test('defaultIpv4PoolCidr() avoids the addresses of the host', () => {
  assert.equal(cidrWith('10.0.0.1', 'fd00::1'), '192.168.0.0/16');
  assert.equal(cidrWith('192.168.80.100'), '172.16.0.0/16');
  assert.equal(cidrWith('192.168.80.100', '172.16.0.1', '172.17.0.1'), '172.18.0.0/16');
});

test('defaultIpv4PoolCidr() takes the preferred one when all are taken', () => {
  const all = Array.from({ length: 16 }, (_, index) => `172.${16 + index}.0.1`);
  assert.equal(cidrWith('192.168.80.100', ...all), '192.168.0.0/16');
});
