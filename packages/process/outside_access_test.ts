import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createLogger } from '@calico/telemetry';
import * as common from './common_settings.ts';
import { etcdAccess, natsAccess } from './outside_access.ts';
import { ConfigError, readSettings } from './settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'calico-access-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const CA = file('ca.pem', '-----BEGIN CERTIFICATE-----\n');
const CERT = file('cert.pem', '-----BEGIN CERTIFICATE-----\n');
const KEY = file('key.pem', '-----BEGIN EC PRIVATE KEY-----\n');

function open(environment: Record<string, string>) {
  const lines: { message: string; hosts?: string[] }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const logger = createLogger({ service: 'test', destination });
  return {
    lines,
    etcd: () => etcdAccess(readSettings(common.etcd, environment), logger),
    nats: () => natsAccess(readSettings(common.nats, environment), logger),
  };
}

const problemsOf = (run: () => unknown): readonly string[] => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
};

test('etcdAccess(), natsAccess() use local plain text without a word', () => {
  const { etcd, nats, lines } = open({ NATS_URL: 'localhost:4222,nats://[::1]:4222' });
  const endpoints = ['http://127.0.0.1:2379'];
  assert.deepEqual(etcd(), { endpoints, tls: undefined, requestTimeoutMs: 3_000 });
  assert.equal(nats().tls, undefined);
  assert.deepEqual(lines, []);
});

test('etcdAccess(), natsAccess() warn once of plain text over a network, without passwords', () => {
  const { etcd, nats, lines } = open({
    ETCD_ENDPOINTS: 'http://127.0.0.1:2379,http://10.0.0.1:2379',
    NATS_URL: 'nats://user:secret@10.0.0.2:4222',
  });
  etcd();
  nats();
  assert.deepEqual(
    lines.map(({ hosts }) => hosts),
    [['10.0.0.1:2379'], ['10.0.0.2:4222']],
  );
  assert.match(lines[0]?.message ?? '', /^plain text to etcd over a network/);
  assert.doesNotMatch(JSON.stringify(lines), /secret/);
});

test('etcdAccess(), natsAccess() check the files and name them', () => {
  const { etcd, nats, lines } = open({
    ETCD_ENDPOINTS: 'https://10.0.0.1:2379',
    ETCD_CA_CERT_FILE: CA,
    ETCD_CERT_FILE: CERT,
    ETCD_KEY_FILE: KEY,
    ETCD_TIMEOUT_SECONDS: '20',
    NATS_URL: 'nats://10.0.0.1:4222',
    NATS_CA_FILE: CA,
  });
  assert.deepEqual(etcd().tls, { ca: CA, cert: CERT, key: KEY });
  assert.equal(etcd().requestTimeoutMs, 20_000);
  assert.deepEqual(nats().tls, { ca: CA, cert: undefined, key: undefined });
  assert.deepEqual(lines, []);
});

test('natsAccess() takes tls:// as a wish for TLS, and credentials', () => {
  const creds = file('user.creds', 'JWT');
  const { nats } = open({ NATS_URL: 'tls://nats.example:4222', NATS_CREDENTIALS_FILE: creds });
  assert.notEqual(nats().tls, undefined);
  assert.equal(String(nats().credentials), 'JWT');
});

test('readSettings() names variable and file of what cannot be used', () => {
  const missing = join(directory, 'missing.pem');
  const { etcd, nats } = open({
    ETCD_CA_CERT_FILE: missing,
    ETCD_CERT_FILE: KEY,
    NATS_KEY_FILE: CERT,
    NATS_CREDENTIALS_FILE: directory,
  });
  const [ca = '', cert] = problemsOf(etcd);
  assert.ok(ca.startsWith(`ETCD_CA_CERT_FILE="${missing}": cannot be read: ENOENT`));
  assert.equal(cert, `ETCD_CERT_FILE="${KEY}": expected a PEM file with a CERTIFICATE`);
  const [key, credentials = ''] = problemsOf(nats);
  assert.equal(key, `NATS_KEY_FILE="${CERT}": expected a PEM file with a PRIVATE KEY`);
  assert.ok(credentials.startsWith(`NATS_CREDENTIALS_FILE="${directory}": cannot be read: `));
});

test('etcdAccess(), natsAccess() refuse settings that contradict each other, all at once', () => {
  const { etcd, nats } = open({
    ETCD_ENDPOINTS: 'http://127.0.0.1:2379,127.0.0.1:2379',
    ETCD_CERT_FILE: CERT,
    NATS_KEY_FILE: KEY,
    NATS_TOKEN: 't',
    NATS_CREDENTIALS_FILE: CA,
  });
  assert.deepEqual(problemsOf(etcd), [
    'ETCD_CERT_FILE, ETCD_KEY_FILE: set both or none',
    'ETCD_ENDPOINTS="http://127.0.0.1:2379": expected "https://", since TLS files for etcd are set',
    'ETCD_ENDPOINTS="127.0.0.1:2379": expected "http://host:port" or "https://host:port"',
  ]);
  assert.deepEqual(problemsOf(nats), [
    'NATS_CERT_FILE, NATS_KEY_FILE: set both or none',
    'NATS_TOKEN, NATS_CREDENTIALS_FILE: set one of them',
  ]);
});
