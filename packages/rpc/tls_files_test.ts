import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RenewedTlsFiles } from './tls_files.ts';

function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'calico-tls-files-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

test('RenewedTlsFiles answers the same object until a file changes', (t) => {
  const key = join(directoryOf(t), 'key.pem');
  writeFileSync(key, newKey());
  let renewals = 0;
  const files = new RenewedTlsFiles({ key }, { onRenewed: () => renewals++ });
  const first = files.current();
  assert.equal(files.current(), first);
  const renewed = newKey();
  writeFileSync(`${key}.new`, renewed);
  renameSync(`${key}.new`, key);
  assert.equal(files.current().key?.toString(), renewed);
  assert.equal(files.current().cert, null);
  assert.equal(renewals, 1);
});

test('RenewedTlsFiles keeps what it had while files are being replaced', (t) => {
  const key = join(directoryOf(t), 'key.pem');
  const old = newKey();
  writeFileSync(key, old);
  const files = new RenewedTlsFiles({ key });
  rmSync(key);
  assert.equal(files.current().key?.toString(), old);
  writeFileSync(key, '-----BEGIN PRIVATE KEY-----\nhalf of');
  assert.equal(files.current().key?.toString(), old);
  const renewed = newKey();
  writeFileSync(key, renewed);
  assert.equal(files.current().key?.toString(), renewed);
});

test('RenewedTlsFiles sees a file that is written again within a tick of the clock', (t) => {
  const key = join(directoryOf(t), 'key.pem');
  const [first, ...others] = Array.from({ length: 4 }, newKey) as [string, ...string[]];
  const now = new Date();
  const write = (text: string): void => {
    writeFileSync(key, text);
    utimesSync(key, now, now);
  };
  write(first);
  const files = new RenewedTlsFiles({ key });
  for (const renewed of others) {
    if (Date.now() - now.getTime() >= 10) return; // no file of now any more
    write(renewed);
    assert.equal(files.current().key?.toString(), renewed);
  }
});

test('RenewedTlsFiles says once why files cannot be used, and does not read them again', (t) => {
  const key = join(directoryOf(t), 'key.pem');
  const write = (text: string, second: number): void => {
    writeFileSync(key, text);
    utimesSync(key, second, second);
  };
  const old = newKey();
  write(old, 1);
  const reasons: string[] = [];
  const files = new RenewedTlsFiles({ key }, { onFailed: (reason) => reasons.push(reason) });
  const askTwice = (): number => {
    for (let time = 0; time < 2; time++) assert.equal(files.current().key?.toString(), old);
    return reasons.length;
  };
  write('-'.repeat(old.length), 2);
  assert.equal(askTwice(), 1);
  write(newKey(), 2); // as long, as old: not read
  assert.equal(askTwice(), 1);
  write('wrong again', 3);
  assert.equal(askTwice(), 2);
  rmSync(key);
  assert.equal(askTwice(), 3);
  assert.match(reasons[2] ?? '', /^Cannot read TLS file ".*key.pem": ENOENT/);
  write(old, 4);
  assert.equal(askTwice(), 3);
  rmSync(key);
  assert.equal(askTwice(), 4);
});

test('RenewedTlsFiles follows links, as Kubernetes mounts secrets', (t) => {
  const directory = directoryOf(t);
  const write = (version: string): string => {
    const text = newKey();
    mkdirSync(join(directory, version));
    writeFileSync(join(directory, version, 'key.pem'), text);
    symlinkSync(version, join(directory, '..data.new'));
    renameSync(join(directory, '..data.new'), join(directory, '..data'));
    return text;
  };
  const old = write('..1');
  symlinkSync('..data/key.pem', join(directory, 'key.pem'));
  const files = new RenewedTlsFiles({ key: join(directory, 'key.pem') });
  assert.equal(files.current().key?.toString(), old);
  const renewed = write('..2');
  assert.equal(files.current().key?.toString(), renewed);
});

test('RenewedTlsFiles names a file that cannot be read', () => {
  assert.throws(
    () => new RenewedTlsFiles({ ca: '/nowhere/ca.pem' }),
    /^TypeError: Cannot read TLS file "\/nowhere\/ca.pem": ENOENT/,
  );
});
