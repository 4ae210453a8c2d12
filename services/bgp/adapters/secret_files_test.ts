import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { SecretFiles } from './secret_files.ts';

test('a secret is a file; another value is another version', () => {
  const directory = mkdtempSync(join(tmpdir(), 'calico-secrets-'));
  try {
    const clock = new FakeClock();
    const secrets = new SecretFiles(directory);
    let changes = 0;
    secrets.watch(clock, () => {
      changes += 1;
    });
    const secret = { name: 'bgp-secrets', key: 'rr-password' };
    assert.equal(secrets.versionOf(secret), undefined);
    mkdirSync(join(directory, 'bgp-secrets'));
    writeFileSync(join(directory, 'bgp-secrets', 'rr-password'), 'open sesame\n');
    clock.advance(2_000);
    assert.equal(changes, 1);
    assert.equal(secrets.valueOf(secret), 'open sesame');
    const version = secrets.versionOf(secret);
    clock.advance(60_000);
    assert.equal(changes, 1);
    assert.equal(secrets.versionOf(secret), version);
    writeFileSync(join(directory, 'bgp-secrets', 'rr-password'), 'another');
    clock.advance(2_000);
    assert.equal(changes, 2);
    assert.notEqual(secrets.versionOf(secret), version);
    rmSync(join(directory, 'bgp-secrets'), { recursive: true });
    clock.advance(5_000);
    assert.equal(secrets.valueOf(secret), 'another', 'what is gone is kept');
    secrets.close();
    assert.equal(clock.pending, 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('nothing outside of the directory is read', () => {
  const secrets = new SecretFiles('/etc');
  for (const name of ['..', '.', 'a/b', '']) {
    assert.equal(secrets.versionOf({ name, key: 'passwd' }), undefined, name);
  }
});
