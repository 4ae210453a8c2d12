import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PeerCertificate } from 'node:tls';
import { hostOf, natsTls } from './nats_tls.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('hostOf() finds the host in every way to write a server', () => {
  assert.equal(hostOf('nats://user:secret@10.0.0.1:4222'), '10.0.0.1');
  assert.equal(hostOf('[fd00::1]:4222'), 'fd00::1');
  assert.equal(hostOf('nats.example'), 'nats.example');
});

test('natsTls() accepts certificates that name one of the servers, by address too', () => {
  const servers = '10.0.0.1:4222, tls://nats.example:4222';
  const check = natsTls({ tls: {}, servers, logger: quiet })?.().checkServerIdentity;
  assert.equal(check?.('', naming('IP Address:10.0.0.1')), undefined);
  assert.equal(check?.('', naming('DNS:nats.example')), undefined);
  assert.match(
    check?.('', naming('IP Address:10.0.0.2, DNS:localhost'))?.message ?? '',
    /10\.0\.0\.1/,
  );
});

test('natsTls() takes renewed files, and says why others are not taken', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'calico-nats-tls-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const key = join(directory, 'key.pem');
  const [first, renewed] = [newKey(), newKey()];
  writeFileSync(key, first);
  const said: unknown[] = [];
  const error = (message: string, fields?: object): void => void said.push([message, fields]);
  const options = natsTls({ tls: { key }, servers: 'nats', logger: { ...quiet, error } });
  writeFileSync(key, `half ${first.slice(0, 80)}`);
  assert.equal(options?.().key, first);
  assert.match(JSON.stringify(said), /^\[\["TLS files cannot be used.*"target":"nats","reason":/);
  writeFileSync(key, renewed);
  assert.equal(options?.().key, renewed);
  assert.equal(said.length, 1);
});

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function naming(subjectaltname: string): PeerCertificate {
  return { subjectaltname, subject: {} } as PeerCertificate;
}
