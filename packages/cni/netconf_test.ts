import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, constantFrom, json, jsonValue, property, record } from 'fast-check';
import { CniError, ErrorCode } from './cni_error.ts';
import { decodeNetconf, readNetconf } from './netconf.ts';

const MINIMAL = { cniVersion: '1.1.0', name: 'k8s-pod-network', type: 'calico' } as const;

function refused(value: Record<string, unknown>, code: number, pattern: RegExp): void {
  assert.throws(
    () => readNetconf(value),
    (error) => {
      assert.ok(error instanceof CniError, String(error));
      assert.match(error.message, pattern);
      assert.equal(error.code, code);
      return true;
    },
  );
}

test('readNetconf() fills the defaults', () => {
  assert.deepEqual(readNetconf(MINIMAL), {
    cniVersion: '1.1.0',
    name: 'k8s-pod-network',
    assignIpv4: true,
    assignIpv6: false,
    ipv4Pools: [],
    ipv6Pools: [],
    mtu: 0,
    nodename: '',
    nodenameFile: '',
    nodenameFileOptional: false,
    logLevel: 'info',
    logFilePath: '',
    runDir: '/var/run/calico',
    labels: {},
    ports: [],
    serviceAccount: '',
    addresses: [],
    prevResult: undefined,
    validAttachments: undefined,
  });
});

test('readNetconf() reads every field', () => {
  const config = readNetconf({
    ...MINIMAL,
    ipam: {
      type: 'calico-ipam',
      assign_ipv4: 'true',
      assign_ipv6: true,
      ipv4_pools: ['10.244.0.0/16', 'default-ipv4-ippool'],
      ipv6_pools: ['fd00::/112'],
    },
    mtu: 1440,
    nodename: 'k8s-node02',
    log_level: 'Debug',
    log_file_path: '/var/log/calico/cni/cni.log',
    runDir: '/run/x',
    args: {
      cni: {
        labels: [{ key: 'app', value: 'busybox' }],
        ips: ['10.244.0.9'],
        ports: [{ name: 'http', protocol: 'tcp', port: 80 }],
        serviceAccountName: 'default',
      },
    },
    runtimeConfig: { labels: { 'example.org/tier': 'web' }, ips: ['fd00::9/128'] },
    'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }],
    somethingElse: 1,
  });
  assert.deepEqual(config.labels, { app: 'busybox', 'example.org/tier': 'web' });
  assert.deepEqual(config.addresses, ['10.244.0.9', 'fd00::9']);
  assert.deepEqual(config.ports, [{ name: 'http', protocol: 'TCP', port: 80 }]);
  assert.deepEqual(config.validAttachments, [{ containerId: 'a', interfaceName: 'eth0' }]);
  assert.deepEqual(config.ipv4Pools, ['10.244.0.0/16', 'default-ipv4-ippool']);
  assert.deepEqual(
    [config.mtu, config.nodename, config.logLevel, config.runDir, config.assignIpv6],
    [1440, 'k8s-node02', 'debug', '/run/x', true],
  );
});

test('readNetconf() refuses versions that it does not speak', () => {
  const code = ErrorCode.IncompatibleVersion;
  refused({ ...MINIMAL, cniVersion: '0.2.0' }, code, /^Cannot use cniVersion "0.2.0": .*supported/);
  refused({ name: 'x' }, code, /^Cannot use cniVersion: it is missing/);
  refused({ ...MINIMAL, cniVersion: 1 }, code, /^Cannot use cniVersion 1/);
});

test('readNetconf() refuses what it does not support with key and value', () => {
  const code = ErrorCode.UnsupportedField;
  refused({ ...MINIMAL, ipam: { type: 'host-local' } }, code, /ipam.type "host-local"/);
  refused({ ...MINIMAL, runtimeConfig: { mac: 'x' } }, code, /runtimeConfig.mac "x"/);
});

test('readNetconf() says of each field what would be accepted', () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ name: '-x' }, /^Cannot use name "-x": letters, digits/],
    [{ name: undefined }, /^Cannot use name: it is missing; letters/],
    [{ mtu: '1500' }, /^Cannot use mtu "1500": 0 \(automatic\) or 68 to 65535 is accepted/],
    [{ mtu: 67 }, /^Cannot use mtu 67/],
    [{ nodename: 'A B' }, /^Cannot use nodename "A B": the name of a node/],
    [{ log_level: 'loud' }, /^Cannot use log_level "loud": one of debug, info/],
    [{ log_file_path: 'x.log' }, /^Cannot use log_file_path "x.log": an absolute path/],
    [{ runDir: 5 }, /^Cannot use runDir 5: an absolute path/],
    [{ ipam: [] }, /^Cannot use ipam \[\]: an object is accepted/],
    [{ ipam: { ipv4_pools: 'x' } }, /^Cannot use ipam.ipv4_pools "x": a list of IPv4 CIDRs/],
    [{ ipam: { ipv4_pools: ['fd00::/64'] } }, /^Cannot use ipam.ipv4_pools\[0\] "fd00::\/64"/],
    [{ ipam: { assign_ipv4: 'no' } }, /^Cannot use ipam.assign_ipv4 "no": true or false/],
    [{ ipam: { assign_ipv4: false } }, /^Cannot use ipam: assign_ipv4 and assign_ipv6 are both/],
    [{ args: { cni: { ips: ['10.0.0.0/8'] } } }, /^Cannot use args.cni.ips\[0\] "10.0.0.0\/8"/],
    [{ args: { cni: { labels: [{ key: 'a b', value: '' }] } } }, /key "a b" is not a label name/],
    [{ args: { cni: { labels: { a: 'b c' } } } }, /value "b c" of "a" is not a label value/],
    [{ args: { cni: { ports: [{ name: 'a', port: 0 }] } } }, /args.cni.ports\[0\].port 0/],
    [{ 'cni.dev/valid-attachments': [{}] }, /valid-attachments\[0\].containerID: it is missing/],
  ];
  for (const [field, pattern] of wrong) {
    refused({ ...MINIMAL, ...field }, ErrorCode.InvalidConfig, pattern);
  }
});

test('readNetconf() tells all problems at once', () => {
  assert.throws(
    () => readNetconf({ ...MINIMAL, mtu: 1, nodename: '_' }),
    (error) => {
      assert.ok(error instanceof CniError);
      assert.match(error.message, /\(and 1 more\)$/);
      assert.match(error.details, /network "k8s-pod-network".*mtu 1.*nodename "_"/);
      return true;
    },
  );
});

test('decodeNetconf() refuses what is not a JSON object', () => {
  for (const text of ['', ' ', '{', '[]', 'null', '"x"', '1']) {
    assert.throws(
      () => decodeNetconf(text),
      (error) => error instanceof CniError && error.code === ErrorCode.UndecodableContent,
    );
  }
});

function readOrRefuse(text: string): void {
  try {
    readNetconf(decodeNetconf(text));
  } catch (error) {
    assert.ok(error instanceof CniError, String(error));
    assert.notEqual(error.code, ErrorCode.Internal);
  }
}

test('any JSON is read or refused with a CNI error, never anything else', () => {
  check(property(json(), readOrRefuse), { numRuns: 2000 });
  const keys = [
    'name',
    'ipam',
    'mtu',
    'args',
    'runtimeConfig',
    'prevResult',
    'cni.dev/valid-attachments',
    'labels',
    '__proto__',
  ] as const;
  const broken = record({ key: constantFrom(...keys), value: jsonValue() }).map(
    ({ key, value }) => `{"cniVersion":"1.1.0","name":"x","${key}":${JSON.stringify(value)}}`,
  );
  check(property(broken, readOrRefuse), { numRuns: 20_000 });
  const nested = record({ key: constantFrom('ips', 'labels', 'ports'), value: jsonValue() }).map(
    ({ key, value }) => JSON.stringify({ ...MINIMAL, args: { cni: { [key]: value } } }),
  );
  check(property(nested, readOrRefuse), { numRuns: 20_000 });
});
