import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FelixService } from '@calico/proto/felix/v1/felix';
import { RpcError, type ServiceHandlers, serveRpc } from '@calico/rpc';
import { CniError } from './cni_error.ts';
import { FelixClient } from './grpc_client.ts';

function socketPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cni-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'felix.sock');
}

function client(t: TestContext, path: string, timeoutMs = 60_000): FelixClient {
  const felix = new FelixClient(path, timeoutMs);
  t.after(() => felix.close());
  return felix;
}

type Handlers = ServiceHandlers<typeof FelixService>;

function missing(): never {
  throw new RpcError('UNIMPLEMENTED', 'not part of the test');
}

async function serve(t: TestContext, some: Partial<Handlers>): Promise<string> {
  const path = socketPath(t);
  const logger = { info: () => {}, error: () => {} };
  const handlers = new Proxy(some, {
    get: (target, key) => Reflect.get(target, key) ?? missing,
  }) as Handlers;
  const server = await serveRpc({
    services: [[FelixService, handlers]],
    listen: `unix:${path}`,
    insecure: false,
    logger,
  });
  t.after(() => server.stop(100));
  return path;
}

async function refused(running: Promise<unknown>, code: number, pattern: RegExp): Promise<void> {
  await assert.rejects(running, (error) => {
    assert.ok(error instanceof CniError, String(error));
    assert.match(error.message, pattern);
    assert.equal(error.code, code);
    return true;
  });
}

function listen(t: TestContext, server: Pick<Server, 'listen' | 'close'>, path: string) {
  t.after(() => void server.close());
  return new Promise<void>((resolve) => void server.listen(path, resolve));
}

test('a call reaches a real gRPC server and brings its answer, several on one connection', async (t) => {
  const path = await serve(t, {
    addWorkload: async ({ containerId, labels }) => ({
      hostInterface: `cali-${containerId}`,
      addresses: [labels['app'] ?? ''],
      mtu: 1480,
    }),
    getReadiness: async () => ({ ready: false, reasons: ['ä%'] }),
  });
  const felix = client(t, path);
  const added = await felix.call('AddWorkload', {
    containerId: 'x',
    labels: { app: '10.1.1.1/32' },
  });
  assert.deepEqual(
    [added.hostInterface, added.addresses, added.mtu],
    ['cali-x', ['10.1.1.1/32'], 1480],
  );
  assert.deepEqual(await felix.call('GetReadiness', {}), {
    ready: false,
    reasons: ['ä%'],
    limited: false,
  });
});

test('statuses become CNI errors with the text of the server', async (t) => {
  let failure = new RpcError('UNAVAILABLE', 'Cannot reach "ipam": 100 % down, später');
  const path = await serve(t, {
    addWorkload: () => Promise.reject(failure),
  });
  const felix = client(t, path);
  await refused(felix.call('AddWorkload', {}), 11, /^Cannot reach "ipam": 100 % down, später$/);
  const codes = [
    ['INVALID_ARGUMENT', 7],
    ['FAILED_PRECONDITION', 100],
    ['RESOURCE_EXHAUSTED', 101],
    ['DATA_LOSS', 102],
    ['NOT_FOUND', 3],
    ['INTERNAL', 103],
  ] as const;
  for (const [code, expected] of codes) {
    failure = new RpcError(code, code);
    await refused(felix.call('AddWorkload', {}), expected, new RegExp(`^${code}$`));
  }
});

test('a server that does not answer in time is: try again later', async (t) => {
  const path = await serve(t, { addWorkload: () => new Promise(() => {}) });
  await refused(client(t, path, 200).call('AddWorkload', {}), 11, /.+/);
});

test('a socket that is missing, not listened on or no socket is: try again later', async (t) => {
  const path = socketPath(t);
  await refused(
    client(t, path).call('GetReadiness', {}),
    11,
    /felix.sock": the socket does not exist/,
  );
  writeFileSync(path, '');
  await refused(client(t, path).call('GetReadiness', {}), 11, /Cannot reach felix at/);
});

test('a server that hangs up or speaks something else is an error, not a hang', async (t) => {
  const path = socketPath(t);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  await listen(t, server, path);
  await assert.rejects(client(t, path, 1000).call('GetReadiness', {}), CniError);
});

test('an answer without gRPC status, with a broken frame or broken message is an error', async (t) => {
  const answers: ((stream: ServerHttp2Stream) => void)[] = [
    (stream) => {
      stream.respond({ ':status': 404 });
      stream.end();
    },
    ...[
      [0, 0, 0],
      [1, 0, 0, 0, 0],
      [0, 0, 0, 0, 9, 1],
      [0, 0, 0, 0, 2, 0x0a, 0xff],
    ].map((bytes) => (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Uint8Array.from(bytes));
    }),
  ];
  const path = socketPath(t);
  const server = createHttp2();
  server.on('stream', (stream) => answers.shift()?.(stream));
  await listen(t, server, path);
  const felix = client(t, path);
  await refused(felix.call('GetReadiness', {}), 11, /no gRPC status, HTTP status 404/);
  for (let left = answers.length; left > 0; left -= 1) {
    await refused(felix.call('GetReadiness', {}), 103, /^Cannot understand the answer of felix/);
  }
});
