// /metrics, /liveness and /readiness over TLS: certificates are renewed while it serves, and it stops at once.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { RenewedTlsFiles } from '@calico/rpc/tls_files';
import { type HttpTls, startTelemetry, type Telemetry } from '@calico/telemetry';
import { type Certificate, makeAuthority, makeCertificate } from '../lab/certificates.ts';

type Served = {
  readonly directory: string;
  readonly files: Certificate;
  readonly telemetry: Telemetry;
  readonly port: number;
  readonly failures: readonly string[];
};

async function serve(t: TestContext): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'calico-http-tls-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  await makeAuthority(directory);
  const files = await makeCertificate(directory, 'server', []);
  const failures: string[] = [];
  const onFailed = (reason: string): void => void failures.push(reason);
  const { cert, key } = files;
  const telemetry = await startTelemetry({
    service: 'test',
    httpListen: '127.0.0.1:0',
    tls: new RenewedTlsFiles({ cert, key }, { onFailed }) as HttpTls,
  });
  const port = Number(telemetry.httpAddress.split(':')[1]);
  return { directory, files, telemetry, port, failures };
}

/** Of the certificate that a new connection is shown. */
async function shownSerial({ port, files }: Served): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(files.ca) });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().serialNumber;
  } finally {
    socket.destroy();
  }
}

const serialIn = (file: string): string => new X509Certificate(readFileSync(file)).serialNumber;

test('a renewed certificate serves from the next connection on, a wrong one is passed over', async (t) => {
  const served = await serve(t);
  t.after(() => served.telemetry.stop());
  const { directory, files, failures } = served;
  assert.equal(await shownSerial(served), serialIn(files.cert));
  await makeCertificate(directory, 'server', []);
  const renewed = serialIn(files.cert);
  assert.equal(await shownSerial(served), renewed);
  writeFileSync(files.cert, 'half of one');
  assert.equal(await shownSerial(served), renewed);
  assert.equal(failures.length, 1);
  await makeCertificate(directory, 'server', []);
  assert.equal(await shownSerial(served), serialIn(files.cert));
});

test('a client that says nothing does not keep it from stopping', {
  timeout: 60_000,
}, async (t) => {
  const { port, telemetry } = await serve(t);
  const silent = connectSocket(port, '127.0.0.1').on('error', () => {});
  t.after(() => silent.destroy());
  await once(silent, 'connect');
  await telemetry.stop();
});
