import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { type TestContext, test } from 'node:test';
import type { Server } from '@grpc/grpc-js';
import { renewListeners } from './credentials.ts';
import type { RenewedTlsFiles } from './tls_files.ts';
import type { PemFiles } from './unary_channel.ts';

class FakeListener extends EventEmitter {
  readonly contexts: object[] = [];

  setSecureContext(options: object): void {
    this.contexts.push(options);
  }
}

/** A listener that was made with `first`, of a server whose files are `files.pem` at each connection. */
function serving(first: PemFiles, files: { pem: PemFiles }): FakeListener {
  const listener = new FakeListener();
  listener.on('secureConnection', () => {});
  const server = { http2Servers: new Map([[listener, {}]]) } as unknown as Server;
  renewListeners(server, { current: () => files.pem } as unknown as RenewedTlsFiles, first);
  return listener;
}

function setCiphers(t: TestContext, ciphers: string): void {
  const before = process.env['GRPC_SSL_CIPHER_SUITES'];
  process.env['GRPC_SSL_CIPHER_SUITES'] = ciphers;
  t.after(() => {
    if (before === undefined) delete process.env['GRPC_SSL_CIPHER_SUITES'];
    else process.env['GRPC_SSL_CIPHER_SUITES'] = before;
  });
}

test('files that were renewed while listeners were made serve from the first connection on', () => {
  const [made, renewed] = ['made', 'renewed'].map((text) => ({ cert: Buffer.from(text) }));
  assert.ok(made && renewed);
  const files = { pem: renewed };
  const listener = serving(made, files);
  for (let connection = 0; connection < 2; connection++) listener.emit('connection');
  assert.deepEqual(listener.contexts, [renewed]);
  files.pem = made;
  listener.emit('connection');
  assert.deepEqual(listener.contexts, [renewed, made]);
});

test('a listener keeps its ciphers when its files are renewed', (t) => {
  setCiphers(t, 'ECDHE-ECDSA-AES256-GCM-SHA384');
  const cert = Buffer.from('renewed');
  const listener = serving({}, { pem: { cert } });
  listener.emit('connection');
  assert.deepEqual(listener.contexts, [{ cert, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }]);
});
