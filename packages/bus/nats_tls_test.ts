import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerCertificate } from 'node:tls';
import { hostOf, tlsOptions } from './nats_tls.ts';

test('hostOf() finds the host in every way to write a server', () => {
  assert.equal(hostOf('nats://user:secret@10.0.0.1:4222'), '10.0.0.1');
  assert.equal(hostOf('[fd00::1]:4222'), 'fd00::1');
  assert.equal(hostOf('nats.example'), 'nats.example');
});

test('tlsOptions() accepts certificates that name one of the servers, by address too', () => {
  const { checkServerIdentity } = tlsOptions({}, ['10.0.0.1:4222', 'tls://nats.example:4222']);
  assert.equal(checkServerIdentity('', naming('IP Address:10.0.0.1')), undefined);
  assert.equal(checkServerIdentity('', naming('DNS:nats.example')), undefined);
  assert.match(
    checkServerIdentity('', naming('IP Address:10.0.0.2, DNS:localhost'))?.message ?? '',
    /10\.0\.0\.1/,
  );
});

function naming(subjectaltname: string): PeerCertificate {
  return { subjectaltname, subject: {} } as PeerCertificate;
}
