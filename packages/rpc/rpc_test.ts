import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { Client, credentials } from '@grpc/grpc-js';
import { type CallTracing, installCallTracing } from './call_tracing.ts';
import { connectRpc } from './client.ts';
import { RpcError } from './errors.ts';
import type { ServiceHandlers } from './handlers.ts';
import { serveRpc } from './serve.ts';

type Handlers = ServiceHandlers<typeof ResourceService>;

const unimplemented = async (): Promise<never> => {
  throw new RpcError('UNIMPLEMENTED', 'Cannot do this: not part of the test');
};

function handlers(some: Partial<Handlers>): Handlers {
  const names = ResourceService.methods.map(({ localName }) => [localName, unimplemented]);
  return { ...(Object.fromEntries(names) as unknown as Handlers), ...some };
}

class Log {
  readonly errors: string[] = [];
  info(): void {}
  error(message: string, fields?: object): void {
    this.errors.push(`${message} ${String(Object.values(fields ?? {}).at(-1))}`);
  }
}

async function serve(
  t: TestContext,
  some: Partial<Handlers>,
  listen = '127.0.0.1:0',
  log = new Log(),
) {
  const server = await serveRpc({
    services: [[ResourceService, handlers(some)]],
    listen,
    insecure: false,
    logger: log,
  });
  const client = connectRpc(ResourceService, server.address, { timeoutMs: 60_000 });
  t.after(async () => {
    client.close();
    await server.stop(100);
  });
  return { server, client, log };
}

const same = (value: Buffer): Buffer => value;

const isCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof RpcError && error.code === code;

test('a unary call carries request, reply, and typed errors', async (t) => {
  const { client, log } = await serve(t, {
    get: async ({ key }) => {
      if (key?.name === 'lost')
        throw new RpcError('NOT_FOUND', 'Cannot get IPPool "lost": no such');
      if (key?.name === 'bug') throw new TypeError('secret detail');
      return { resource: { kind: key?.kind ?? '', name: key?.name ?? '', revision: 7n } };
    },
  });
  const reply = await client.get({ key: { kind: 'IPPool', name: 'a' } });
  assert.equal(reply.resource?.revision, 7n);
  await assert.rejects(client.get({ key: { name: 'lost' } }), (error: RpcError) => {
    assert.equal(error.code, 'NOT_FOUND');
    assert.equal(error.message, 'Cannot get IPPool "lost": no such');
    return true;
  });
  await assert.rejects(client.get({ key: { name: 'bug' } }), (error: RpcError) => {
    assert.equal(error.code, 'INTERNAL');
    assert.equal(error.message, 'internal error');
    return true;
  });
  assert.deepEqual(log.errors, ['call failed TypeError: secret detail']);
});

test('a deadline ends the call on both ends', async (t) => {
  const heard: unknown[] = [];
  const seen = Promise.withResolvers<void>();
  const { client } = await serve(t, {
    get: async (request, { signal }) => {
      heard.push(request);
      await aborted(signal);
      seen.resolve();
      return {};
    },
  });
  // On a slow machine a short time is over before the server has heard of the call.
  for (let timeoutMs = 50; heard.length === 0; timeoutMs *= 2) {
    await assert.rejects(client.get({}, { timeoutMs }), isCode('DEADLINE_EXCEEDED'));
  }
  await seen.promise;
});

test('an abort ends the call on both ends; an aborted signal calls nobody', async (t) => {
  let calls = 0;
  const begun = Promise.withResolvers<void>();
  const seen = Promise.withResolvers<void>();
  const { client } = await serve(t, {
    get: async (_request, { signal }) => {
      calls++;
      begun.resolve();
      await aborted(signal);
      seen.resolve();
      return {};
    },
    async *watch() {
      calls++;
      yield {};
    },
  });
  const controller = new AbortController();
  const call = client.get({}, { signal: controller.signal });
  await begun.promise;
  controller.abort();
  await assert.rejects(call, isCode('CANCELLED'));
  await seen.promise;
  assert.equal(calls, 1);
  await assert.rejects(client.get({}, { signal: controller.signal }), isCode('CANCELLED'));
  const stream = client.watch({}, { signal: controller.signal });
  await assert.rejects(Array.fromAsync(stream), isCode('CANCELLED'));
  assert.equal(calls, 1);
});

test('a stream delivers in order, and leaving it tells the server', async (t) => {
  const left = Promise.withResolvers<void>();
  const { client } = await serve(t, {
    async *watch({ fromRevision }, { signal }) {
      for (let revision = fromRevision; revision < 2000n; revision++) {
        yield { event: { case: 'bookmark', value: { revision } } };
      }
      await aborted(signal);
      left.resolve();
    },
  });
  let expected = 5n;
  for await (const { event } of client.watch({ fromRevision: 5n })) {
    assert.equal(event.case === 'bookmark' && event.value.revision, expected);
    if (++expected === 2000n) break;
  }
  await left.promise;
});

test('a stream that fails answers its error after what was sent', async (t) => {
  const { client } = await serve(t, {
    async *watch() {
      yield {};
      throw new RpcError('OUT_OF_RANGE', 'Cannot watch: compacted');
    },
  });
  const seen: unknown[] = [];
  const read = async (): Promise<void> => {
    for await (const message of client.watch({})) seen.push(message);
  };
  await assert.rejects(read(), isCode('OUT_OF_RANGE'));
  assert.equal(seen.length, 1);
});

test('stop() ends streams with UNAVAILABLE and lets unary calls finish', async (t) => {
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const { server, client } = await serve(t, {
    get: async () => {
      started.resolve();
      await finish.promise;
      return {};
    },
    async *watch(_request, { signal }) {
      yield {};
      await aborted(signal);
    },
  });
  const call = client.get({});
  const stream = client.watch({})[Symbol.asyncIterator]();
  await stream.next();
  await started.promise;
  const stopped = server.stop(60_000);
  await assert.rejects(Promise.resolve(stream.next()), isCode('UNAVAILABLE'));
  finish.resolve();
  await call;
  await stopped;
});

test('a client fails fast while the server is away and recovers soon after its return', async (t) => {
  const path = join(temporary(t), 'run', 'api.sock');
  const answer: Partial<Handlers> = { get: async () => ({ resource: { name: 'here' } }) };
  const first = await serve(t, answer, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await first.client.get({});
  await first.server.stop(100);
  // Not DEADLINE_EXCEEDED, as if it had waited for the server.
  await assert.rejects(first.client.get({}, { timeoutMs: 60_000 }), isCode('UNAVAILABLE'));
  await serve(t, answer, `unix:${path}`);
  await eventually(async () => {
    assert.equal((await first.client.get({})).resource?.name, 'here');
  });
});

test('a unix socket of a dead process is replaced, of a living one it is not', async (t) => {
  const path = join(temporary(t), 'api.sock');
  await serve(t, {}, `unix:${path}`);
  await assert.rejects(serve(t, {}, `unix:${path}`), /another process listens there/);
  const file = join(temporary(t), 'file');
  writeFileSync(file, 'precious');
  await assert.rejects(serve(t, {}, `unix:${file}`), /not a socket/);
});

test('a taken port is a clear error', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  await assert.rejects(serve(t, {}, `127.0.0.1:${port}`), /Cannot listen on "127.0.0.1:\d+"/);
});

test('bytes that are no message answer INVALID_ARGUMENT', async (t) => {
  const { server } = await serve(t, {});
  const raw = new Client(server.address, credentials.createInsecure());
  t.after(() => raw.close());
  const call = (bytes: Buffer): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const path = '/calico.api.v1.ResourceService/Get';
      raw.makeUnaryRequest(path, same, same, bytes, (error, reply) =>
        error ? reject(error) : resolve(reply),
      );
    });
  await assert.rejects(call(Buffer.from([0x0a, 0xff])), { code: 3 });
});

test('health and reflection answer', async (t) => {
  const { server } = await serve(t, {});
  const { service } = await import('grpc-health-check');
  const raw = new Client(server.address, credentials.createInsecure());
  t.after(() => raw.close());
  const method = (service as unknown as Record<string, HealthMethod>)['Check'] as HealthMethod;
  const check = (): Promise<{ status: string }> =>
    new Promise((resolve, reject) => {
      raw.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        { service: ResourceService.typeName },
        (error, reply) => (error ? reject(error) : resolve(reply as { status: string })),
      );
    });
  assert.equal((await check()).status, 'SERVING');
  server.setServing(false);
  assert.equal((await check()).status, 'NOT_SERVING');
  const list = await reflect(raw, Buffer.from([0x3a, 0x01, 0x2a]));
  assert.match(list.toString('latin1'), /calico\.api\.v1\.ResourceService/);
  const symbol = Buffer.from('calico.events.v1.NodeApplied');
  const lost = await reflect(raw, Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]));
  assert.match(lost.toString('latin1'), /Symbol not found/);
});

type HealthMethod = {
  path: string;
  requestSerialize: (value: object) => Buffer;
  responseDeserialize: (bytes: Buffer) => object;
};

function reflect(raw: Client, request: Buffer): Promise<Buffer> {
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  return new Promise((resolve, reject) => {
    const call = raw.makeBidiStreamRequest(path, same, same);
    call.once('data', (reply: Buffer) => {
      resolve(reply);
      call.end();
    });
    call.once('error', reject);
    call.write(request);
  });
}

test('trace context travels in the headers', async (t) => {
  const seen: string[] = [];
  const tracing: CallTracing = {
    outgoing: (path, carrier, run) => {
      carrier['traceparent'] = `00-of-${path}`;
      return run();
    },
    incoming: (path, carrier, run) => {
      seen.push(`${path} ${carrier['traceparent']}`);
      return run();
    },
  };
  const { client } = await serve(t, { get: async () => ({}) });
  installCallTracing(tracing);
  t.after(() => installCallTracing(undefined));
  await client.get({});
  const path = '/calico.api.v1.ResourceService/Get';
  assert.deepEqual(seen, [`${path} 00-of-${path}`]);
});

test('plain text to a remote address has to be asked for', async () => {
  assert.throws(() => connectRpc(ResourceService, '192.0.2.1:5671'), /--insecure/);
  connectRpc(ResourceService, '192.0.2.1:5671', { insecure: true }).close();
  const serving = serveRpc({
    services: [[ResourceService, handlers({})]],
    listen: '0.0.0.0:0',
    insecure: false,
    logger: new Log(),
  });
  await assert.rejects(serving, /--insecure/);
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function temporary(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'calico-rpc-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function eventually(check: () => Promise<void>): Promise<void> {
  const end = performance.now() + 20_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

test('serveRpc() listens on several addresses at once', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'rpc-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const socket = `unix:${join(directory, 'api.sock')}`;
  await serve(t, { getVersion: async () => ({ version: '1' }) }, `127.0.0.1:0, ${socket}`);
  const local = connectRpc(ResourceService, socket, { timeoutMs: 60_000 });
  t.after(() => local.close());
  assert.equal((await local.getVersion({})).version, '1');
});
