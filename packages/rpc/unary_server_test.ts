import assert from 'node:assert/strict';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { RpcError } from './errors.ts';
import { type CallContext, type ServiceHandlers } from './handlers.ts';
import { serveRpc } from './serve.ts';
import { UnaryChannel } from './unary_channel.ts';
import { UnaryFailure } from './unary_failure.ts';
import { frameOf } from './unary_frame.ts';
import { takeUnaryCalls } from './unary_server.ts';

const GET_VERSION = '/calico.api.v1.ResourceService/GetVersion';
const same = (value: Buffer): Buffer => value;

async function serve(
  t: TestContext,
  getVersion: (request: unknown, context: CallContext) => Promise<{ version: string }>,
): Promise<string> {
  const handlers = { getVersion } as unknown as ServiceHandlers<typeof ResourceService>;
  const server = await serveRpc({
    services: [[ResourceService, handlers]],
    listen: '127.0.0.1:0',
    insecure: false,
    logger: { info: () => {}, error: () => {} },
  });
  t.after(() => server.stop(100));
  return server.address;
}

function channelTo(t: TestContext, address: string): UnaryChannel {
  const [host = '', port] = address.split(':');
  const channel = new UnaryChannel({ kind: 'tcp', host, port: Number(port) });
  t.after(() => channel.close());
  return channel;
}

/** The headers of the answer to an empty message. */
async function headersOf(
  t: TestContext,
  address: string,
  given: Record<string, string>,
): Promise<IncomingHttpHeaders> {
  const session = connect(`http://${address}`);
  t.after(() => session.destroy());
  const common = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...common, ...given });
  stream.end(frameOf(new Uint8Array()));
  stream.resume();
  return await new Promise((resolve, reject) => {
    stream.on('response', resolve);
    stream.on('error', reject);
  });
}

test('unary calls go the short way; what is unknown or compressed goes the long one', async (t) => {
  const address = await serve(t, async () => ({ version: '1' }));
  const short = await headersOf(t, address, { ':path': GET_VERSION });
  assert.deepEqual([short['grpc-accept-encoding'], short['grpc-status']], [undefined, undefined]);
  const unknown = await headersOf(t, address, { ':path': '/a.B/C' });
  assert.equal(unknown['grpc-status'], '12');
  const compressed = await headersOf(t, address, { ':path': GET_VERSION, 'grpc-encoding': 'gzip' });
  assert.notEqual(compressed['grpc-accept-encoding'], undefined);
});

test('a client that compresses is understood', async (t) => {
  const address = await serve(t, async () => ({ version: 'x' }));
  const gzip = { 'grpc.default_compression_algorithm': 2 };
  const client = new Client(address, credentials.createInsecure(), gzip);
  t.after(() => client.close());
  const reply = await new Promise<unknown>((resolve, reject) => {
    client.makeUnaryRequest(GET_VERSION, same, same, Buffer.alloc(0), (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
  assert.deepEqual(reply, Buffer.from('0a0178', 'hex'));
});

test('a handler learns the deadline, and who calls', async (t) => {
  const seen: Pick<CallContext, 'peer' | 'deadline'>[] = [];
  const address = await serve(t, async (_request, { peer, deadline }) => {
    seen.push({ peer, deadline });
    return { version: '' };
  });
  const start = performance.now();
  await channelTo(t, address).call(GET_VERSION, new Uint8Array(), { timeoutMs: 4_000 });
  const [context] = seen;
  assert.match(context?.peer ?? '', /^127\.0\.0\.1:\d+$/);
  const left = (context?.deadline ?? 0) - start;
  assert.ok(left > 3_900 && left < 6_000, String(left));
});

test('errors keep their text in any script', async (t) => {
  const text = 'Cannot use "ä 100 % 語": no';
  const address = await serve(t, async () => {
    throw new RpcError('NOT_FOUND', text);
  });
  const call = channelTo(t, address).call(GET_VERSION, new Uint8Array(), { timeoutMs: 5_000 });
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof UnaryFailure);
    assert.deepEqual([error.code, error.details], [5, text]);
    return true;
  });
});

test('a request that is too long is refused', async (t) => {
  const server = new Server();
  t.after(() => server.forceShutdown());
  const port = await new Promise<number>((resolve) => {
    const insecure = ServerCredentials.createInsecure();
    server.bindAsync('127.0.0.1:0', insecure, (_error, taken) => resolve(taken));
  });
  takeUnaryCalls(server, new Map([['/a.B/C', async (bytes) => bytes]]), 1_000);
  const channel = channelTo(t, `127.0.0.1:${port}`);
  const answer = await channel.call('/a.B/C', new Uint8Array(900), { timeoutMs: 5_000 });
  assert.equal(answer.length, 900);
  const long = channel.call('/a.B/C', new Uint8Array(200_000), { timeoutMs: 5_000 });
  await assert.rejects(long, { code: 8 });
});
