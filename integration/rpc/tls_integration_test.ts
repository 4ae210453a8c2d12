// Mutual TLS with certificates made by openssl.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ResourceService } from '@calico/proto/api/v1/resources';
import {
  connectRpc,
  RpcError,
  type RpcServer,
  type ServiceHandlers,
  serveRpc,
  type TlsFiles,
} from '@calico/rpc';

/** Handshakes of a busy machine take their time. */
const CALL_MS = 60_000;
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

let directory = '';

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'calico-tls-'));
  makeAuthority('ca');
  makeAuthority('other-ca');
  makeCertificate('server', 'ca');
  makeCertificate('client', 'ca');
  makeCertificate('stranger', 'other-ca');
  makeCertificate('elsewhere', 'ca', 'IP:127.0.0.2,DNS:elsewhere');
});

after(() => rmSync(directory, { recursive: true, force: true }));

function openssl(...given: string[]): void {
  execFileSync('openssl', given, { cwd: directory, stdio: 'ignore' });
}

function makeAuthority(name: string): void {
  const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
  openssl('req', '-x509', ...KEY, ...files, '-subj', `/CN=${name}`, '-days', '1');
}

function makeCertificate(
  name: string,
  authority: string,
  names = 'IP:127.0.0.1,DNS:localhost',
): void {
  const request = ['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`];
  openssl('req', ...KEY, ...request, '-addext', `subjectAltName=${names}`);
  const signer = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
  const files = ['-in', `${name}.csr`, '-out', `${name}.pem`];
  openssl('x509', '-req', ...files, ...signer, '-days', '1', '-copy_extensions', 'copy');
}

const inDirectory = (file: string): string => join(directory, file);

function tlsFiles(name: string, authority = 'ca'): Required<TlsFiles> {
  return {
    ca: inDirectory(`${authority}.pem`),
    cert: inDirectory(`${name}.pem`),
    key: inDirectory(`${name}.key`),
  };
}

const handlers = {
  getVersion: async () => ({ version: '1' }),
  watch: async function* () {
    yield {};
  },
} as unknown as ServiceHandlers<typeof ResourceService>;

const quiet = { info: () => {}, error: () => {} };

async function serve(t: TestContext, tls: TlsFiles): Promise<RpcServer> {
  const server = await serveRpc({
    services: [[ResourceService, handlers]],
    listen: '127.0.0.1:0',
    tls,
    insecure: false,
    logger: quiet,
  });
  t.after(() => server.stop(100));
  return server;
}

async function ask(target: string, tls: TlsFiles | undefined): Promise<string> {
  const client = connectRpc(ResourceService, target, { tls, timeoutMs: CALL_MS });
  try {
    return (await client.getVersion({})).version;
  } finally {
    client.close();
  }
}

/** Because it is refused, not when time is up. */
const refused = (error: unknown): boolean =>
  error instanceof RpcError && error.code === 'UNAVAILABLE';

test('mutual TLS lets in who has a certificate of the authority, and nobody else', async (t) => {
  const { address, security } = await serve(t, tlsFiles('server'));
  assert.equal(security, 'tls');
  assert.equal(await ask(address, tlsFiles('client')), '1');
  const byName = address.replace('127.0.0.1', 'localhost');
  assert.equal(await ask(byName, tlsFiles('client')), '1');
  const { ca } = tlsFiles('client');
  await assert.rejects(ask(address, { ca }), refused, 'without a certificate');
  await assert.rejects(ask(address, tlsFiles('stranger')), refused, 'of somebody else');
  await assert.rejects(ask(address, tlsFiles('client', 'other-ca')), refused, 'not trusting it');
  await assert.rejects(ask(address, undefined), refused, 'in plain text');
});

test('a server whose certificate is for another address or name is refused', async (t) => {
  const { address } = await serve(t, tlsFiles('elsewhere'));
  await assert.rejects(ask(address, tlsFiles('client')), refused);
  const byName = address.replace('127.0.0.1', 'localhost');
  await assert.rejects(ask(byName, tlsFiles('client')), refused);
});

test('TLS files that are missing or incomplete are named', async (t) => {
  const noKey = { ...tlsFiles('server'), key: '/nowhere.key' };
  await assert.rejects(serve(t, noKey), /"\/nowhere.key"/);
  await assert.rejects(serve(t, { ca: tlsFiles('server').ca }), /both a certificate and a key/);
});

test('certificates that are renewed serve from the next connection on', async (t) => {
  makeCertificate('renewed', 'ca');
  makeCertificate('renewed-client', 'ca');
  const said: string[] = [];
  const server = await serveRpc({
    services: [[ResourceService, handlers]],
    listen: '127.0.0.1:0',
    tls: tlsFiles('renewed'),
    insecure: false,
    logger: { ...quiet, info: (message) => said.push(message) },
  });
  t.after(() => server.stop(100));
  // A client lives on; the one before it has a connection that stays as it was.
  const old = connectRpc(ResourceService, server.address, {
    tls: tlsFiles('renewed-client'),
    timeoutMs: CALL_MS,
  });
  t.after(() => old.close());
  assert.equal((await old.getVersion({})).version, '1');
  const idle = connectRpc(ResourceService, server.address, {
    tls: tlsFiles('renewed-client'),
    timeoutMs: CALL_MS,
  });
  t.after(() => idle.close());

  makeCertificate('renewed', 'other-ca');
  await assert.rejects(ask(server.address, tlsFiles('client')), refused, 'the new one is shown');
  assert.equal(
    await ask(server.address, { ...tlsFiles('client'), ca: inDirectory('other-ca.pem') }),
    '1',
  );
  assert.ok(said.includes('TLS files have changed, new connections use them'));
  assert.equal((await old.getVersion({})).version, '1');

  makeCertificate('renewed', 'ca');
  makeCertificate('renewed-client', 'other-ca');
  await assert.rejects(idle.getVersion({}), refused, 'its new certificate is not trusted');
  makeCertificate('renewed-client', 'ca');
  await eventually(async () => {
    const answer = await idle.getVersion({}).catch(() => undefined);
    return answer?.version === '1';
  });
});

test('files that do not fit are told of once, and what was there before goes on', async (t) => {
  makeCertificate('halved', 'ca');
  makeCertificate('halved-client', 'ca');
  const said: string[] = [];
  const error = (_: string, fields?: object): void => {
    said.push((fields as { reason: string }).reason);
  };
  const logger = { ...quiet, error };
  const server = await serveRpc({
    services: [[ResourceService, handlers]],
    listen: '127.0.0.1:0',
    tls: tlsFiles('halved'),
    insecure: false,
    logger,
  });
  t.after(() => server.stop(100));
  writeFileSync(inDirectory('halved.pem'), 'wrong');
  utimesSync(inDirectory('halved.pem'), 1, 1);
  for (let time = 0; time < 3; time++) {
    assert.equal(await ask(server.address, tlsFiles('client')), '1');
  }
  assert.equal(said.length, 1);

  said.length = 0;
  const client = connectRpc(ResourceService, server.address, {
    tls: tlsFiles('halved-client'),
    timeoutMs: CALL_MS,
    logger,
  });
  t.after(() => client.close());
  writeFileSync(inDirectory('halved-client.key'), 'wrong');
  assert.equal((await client.getVersion({})).version, '1');
  assert.ok(said.length > 0);
});

test('a client of streams begins each connection with the files as they are', async (t) => {
  makeCertificate('stream-client', 'other-ca');
  const { address } = await serve(t, tlsFiles('server'));
  const client = connectRpc(ResourceService, address, { tls: tlsFiles('stream-client') });
  t.after(() => client.close());
  const first = async (): Promise<unknown> => {
    for await (const event of client.watch({})) return event;
    return undefined;
  };
  await assert.rejects(first(), refused);
  makeCertificate('stream-client', 'ca');
  await eventually(async () => (await first().catch(() => undefined)) !== undefined);
});

test('a client that never ends its handshake does not hold up the end', {
  timeout: 60_000,
}, async (t) => {
  const server = await serve(t, tlsFiles('server'));
  const [host, port] = server.address.split(':');
  const silent = connect(Number(port), host).on('error', () => {});
  t.after(() => silent.destroy());
  await once(silent, 'connect');
  assert.equal(await ask(server.address, tlsFiles('client')), '1'); // accepted later than the silent one
  await server.stop(3_600_000);
});

/** A refused connection is not tried again at once. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('it does not come');
    await sleep(50);
  }
}
