import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, jsonValue, property } from 'fast-check';
import { validateCniResult } from './result_schema.ts';

const GOOD = {
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'cali1', mac: 'ee:ee:ee:ee:ee:ee', mtu: 1500 },
    { name: 'eth0', sandbox: '/var/run/netns/x' },
  ],
  ips: [{ address: '10.1.1.1/32', gateway: '10.1.1.2', interface: 1 }],
  routes: [
    {
      dst: '0.0.0.0/0',
      gw: '10.1.1.2',
      mtu: 1400,
      advmss: 1360,
      priority: 1,
      table: 254,
      scope: 0,
    },
  ],
  dns: { nameservers: ['10.0.0.1'], domain: 'a', search: ['b'], options: ['c'] },
};

test('validateCniResult() accepts a result that has everything, and one that has nothing', () => {
  assert.deepEqual(validateCniResult(GOOD, '1.1.0'), []);
  assert.deepEqual(validateCniResult({ cniVersion: '1.0.0' }, '1.0.0'), []);
});

test('validateCniResult() names what does not conform', () => {
  const problems = validateCniResult(
    {
      cniVersion: '1.0.0',
      interfaces: [{ mac: 'x' }],
      ips: [{ address: '10.1.1.1', interface: 4, gateway: '1.1.1.1/8' }],
      routes: {},
      dns: { search: 'a' },
      extra: 1,
    },
    '1.1.0',
  );
  assert.deepEqual(problems, [
    'cniVersion is "1.0.0", "1.1.0" was asked for',
    'extra is not known',
    'interfaces[0].name is missing',
    'interfaces[0].mac "x" is not a MAC address',
    'ips[0].address "10.1.1.1" is not an address with a prefix length',
    'ips[0].gateway "1.1.1.1/8" is not an address',
    'routes is not a list',
    'ips[0].interface 4 is not one of 1 interfaces',
    'dns.search "a" is not a list of texts',
  ]);
});

test('validateCniResult() knows what each version has', () => {
  assert.deepEqual(validateCniResult({ ...GOOD, cniVersion: '1.0.0' }, '1.0.0'), [
    'interfaces[0].mtu is not known',
    'routes[0].mtu is not known',
    'routes[0].advmss is not known',
    'routes[0].priority is not known',
    'routes[0].table is not known',
    'routes[0].scope is not known',
  ]);
  const older = { cniVersion: '0.4.0', ips: [{ address: '10.1.1.1/32' }] };
  assert.deepEqual(validateCniResult(older, '0.4.0'), ['ips[0].version is missing']);
  assert.deepEqual(validateCniResult({}, '2.0.0'), ['cniVersion "2.0.0" is not known']);
});

test('validateCniResult() survives any JSON', () => {
  check(
    property(jsonValue(), (value) => {
      assert.ok(Array.isArray(validateCniResult(value, '1.1.0')));
    }),
    { numRuns: 5000 },
  );
});
