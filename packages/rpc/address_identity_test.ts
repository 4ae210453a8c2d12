import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerCertificate } from 'node:tls';
import { addressIdentity } from './address_identity.ts';

const CERTIFICATE = {
  subject: { CN: 'address.invalid' },
  subjectaltname: 'IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1, DNS:address.invalid',
} as PeerCertificate;

test('addressIdentity() checks the address, whatever name was asked for', () => {
  for (const [address, isNamed] of [
    ['10.0.0.1', true],
    ['10.0.0.2', false],
    ['fd00::1', true],
    ['fd00::2', false],
  ] as const) {
    const identity = addressIdentity(address);
    assert.equal(identity?.servername, 'address.invalid');
    const error = identity.checkServerIdentity('address.invalid', CERTIFICATE);
    assert.equal(error === undefined, isNamed, address);
  }
});

test('addressIdentity() leaves names to the usual check', () => {
  for (const name of ['etcd.example', 'localhost', '']) {
    assert.equal(addressIdentity(name), undefined);
  }
});
