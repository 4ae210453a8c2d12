import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { RpcError } from './errors.ts';
import { type CallContext, type ServiceHandlers } from './handlers.ts';
import { CLIENT_GREETING, MOST_STREAMS } from './http2/connection.ts';
import { FrameReader } from './http2/frames.ts';
import { serveRpc } from './serve.ts';
import { UnaryChannel } from './unary_channel.ts';
import { UnaryFailure } from './unary_failure.ts';
import { frameOf } from './unary_frame.ts';
import { ShortConnections, takeUnaryCalls } from './unary_server.ts';

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
  await channelTo(t, address).call(GET_VERSION, new Uint8Array(), { timeoutMs: 60_000 });
  const [context] = seen;
  assert.match(context?.peer ?? '', /^127\.0\.0\.1:\d+$/);
  const left = (context?.deadline ?? 0) - start;
  assert.ok(left > 59_000 && left < 120_000, String(left));
});

test('errors keep their text in any script', async (t) => {
  const text = 'Cannot use "ä 100 % 語": no';
  const address = await serve(t, async () => {
    throw new RpcError('NOT_FOUND', text);
  });
  const call = channelTo(t, address).call(GET_VERSION, new Uint8Array(), { timeoutMs: 60_000 });
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof UnaryFailure);
    assert.deepEqual([error.code, error.details], [5, text]);
    return true;
  });
});

test('an error whose text is long is cut between characters, and ends its call only', async (t) => {
  const address = await serve(t, async () => {
    throw new RpcError('INVALID_ARGUMENT', `a${'語😀'.repeat(30_000)}`);
  });
  const channel = channelTo(t, address);
  for (let round = 0; round < 2; round++) {
    const call = channel.call(GET_VERSION, new Uint8Array(), { timeoutMs: 60_000 });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof UnaryFailure);
      assert.equal(error.code, 3);
      assert.match(error.details, /^a(?:語😀){300,}語? \.\.\.$/u);
      return true;
    });
  }
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
  const answer = await channel.call('/a.B/C', new Uint8Array(900), { timeoutMs: 60_000 });
  assert.equal(answer.length, 900);
  const long = channel.call('/a.B/C', new Uint8Array(200_000), { timeoutMs: 60_000 });
  await assert.rejects(long, { code: 8 });
});

/** A message of four bytes whose prefix says nine. */
const WRONG_LENGTH = Buffer.of(0, 0, 0, 0, 9, 1, 2, 3, 4);

/** Nothing that happens meanwhile would end a process. */
async function survives(t: TestContext, act: () => Promise<void>): Promise<void> {
  const deaths: unknown[] = [];
  const note = (error: unknown): void => void deaths.push(error);
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  for (const event of events) process.on(event, note);
  t.after(() => events.forEach((event) => void process.off(event, note)));
  await act();
  assert.deepEqual(deaths, []);
}

/** RFC 9113 section 4.1: length, type, flags, stream. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8 };
/** A client like any other, and one of ours. */
const GREETINGS = [
  Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(FRAME.settings, 0, 0, new Uint8Array()),
  ]),
  CLIENT_GREETING,
] as const;

const u32 = (value: number): Buffer => Buffer.of(0, 0, 0, value);
const text = (value: string): Buffer => Buffer.of(value.length, ...Buffer.from(value));

/** The headers of a call, literal and never indexed (RFC 7541 section 6.2.3). */
function callHeaders(timeout: string | undefined): Buffer {
  const fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', GET_VERSION],
    [':authority', 'a'],
    ['content-type', 'application/grpc'],
    ...(timeout === undefined ? [] : [['grpc-timeout', timeout]]),
  ];
  const literals = fields.map(([name = '', value = '']) => [
    Buffer.of(16),
    text(name),
    text(value),
  ]);
  return Buffer.concat(literals.flat());
}

test('a client that takes its call back does no harm, and its request is not carried out', async (t) => {
  let calls = 0;
  const address = await serve(t, async () => ({ version: String(++calls) }));
  await survives(t, async () => {
    const messages = [WRONG_LENGTH, frameOf(new Uint8Array())];
    for (const message of [...messages, ...messages]) {
      const headers = frame(FRAME.headers, 4, 1, callHeaders(undefined)); // END_HEADERS
      const data = frame(FRAME.data, 0, 1, message);
      const noError = frame(FRAME.reset, 0, 1, u32(0));
      await sendAndLeave(address, Buffer.concat([headers, data, noError]), false);
    }
    await channelTo(t, address).call(GET_VERSION, new Uint8Array(), { timeoutMs: 60_000 });
  });
  assert.equal(calls, 1);
});

test('calls that are taken back count until their handlers end', async (t) => {
  const release = Promise.withResolvers<void>();
  let calls = 0;
  const address = await serve(t, async () => {
    if (++calls <= MOST_STREAMS) await release.promise;
    return { version: '1' };
  });
  const [host, port] = address.split(':');
  const socket = connectSocket(Number(port), host);
  t.after(() => socket.destroy());
  const reader = new FrameReader();
  const answers = new Map<number, PromiseWithResolvers<number>>();
  socket.on('data', (chunk: Buffer) =>
    reader.read(chunk, ({ stream, type }) => answers.get(stream)?.resolve(type)),
  );
  /** The type of the first frame of the answer. */
  const call = async (stream: number): Promise<number> => {
    const answer = Promise.withResolvers<number>();
    answers.set(stream, answer);
    socket.write(callFrames(stream));
    return await answer.promise;
  };
  socket.write(CLIENT_GREETING);
  for (let index = 0; index < MOST_STREAMS; index++) {
    const stream = 2 * index + 1;
    socket.write(Buffer.concat([callFrames(stream), frame(FRAME.reset, 0, stream, u32(8))]));
  }
  assert.equal(await call(2 * MOST_STREAMS + 1), FRAME.reset);
  assert.equal(calls, MOST_STREAMS);
  release.resolve();
  assert.equal(await call(2 * MOST_STREAMS + 3), FRAME.headers);
});

/** A whole call. */
function callFrames(stream: number): Buffer {
  const headers = frame(FRAME.headers, 4, stream, callHeaders(undefined)); // END_HEADERS
  return Buffer.concat([headers, frame(FRAME.data, 1, stream, frameOf(new Uint8Array()))]);
}

/** Up to twelve frames that begin, feed, end and break three calls in any order. `below`: 0 to n - 1. */
function randomFrames(below: (n: number) => number): Buffer {
  const payloads = [
    frameOf(new Uint8Array()),
    WRONG_LENGTH,
    Buffer.of(0, 0),
    new Uint8Array(),
  ] as const;
  const frames = Array.from({ length: 2 + below(11) }, (_, index) => {
    const stream = 1 + 2 * below(3);
    const end = below(2); // END_STREAM
    const payload = payloads[below(payloads.length)] ?? new Uint8Array();
    const kind = index === 0 ? 0 : below(10);
    if (kind < 3) {
      const headers = callHeaders([undefined, '1n', '1m', '1S'][below(4)]);
      return frame(FRAME.headers, 4 | end, stream, headers);
    }
    if (kind < 6) return frame(FRAME.data, end, stream, payload);
    if (kind < 8) return frame(FRAME.reset, 0, stream, u32(below(14)));
    if (kind === 8) return frame(FRAME.window, 0, below(2) * stream, u32(below(3)));
    return below(2) === 0
      ? frame(FRAME.ping, 0, 0, Buffer.alloc(8))
      : frame(FRAME.goaway, 0, 0, Buffer.alloc(8));
  });
  return Buffer.concat(frames);
}

test('a client of ours is known also when its greeting comes byte by byte', async (t) => {
  const address = await serve(t, async () => ({ version: '1' }));
  const [host, port] = address.split(':');
  const socket = connectSocket(Number(port), host).setNoDelay();
  t.after(() => socket.destroy());
  const answered = new Promise<Buffer>((resolve) => void socket.once('data', resolve));
  for (const byte of CLIENT_GREETING) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await answered)[3], FRAME.settings);
});

test('a server that leaves lets go of connections that have not greeted it', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const accepted = async (): Promise<Socket> => {
    const connection = once(server, 'connection');
    const client = connectSocket(port, '127.0.0.1');
    client.on('error', () => {});
    t.after(() => client.destroy());
    const [socket] = (await connection) as [Socket];
    t.after(() => socket.destroy());
    return socket;
  };
  const connections = new ShortConnections();
  const [before, after] = [await accepted(), await accepted()];
  const [shaking, shakingAfter] = [await accepted(), await accepted()];
  connections.greet(before, () => {});
  connections.shakeHands(shaking);
  assert.deepEqual([before.destroyed, shaking.destroyed], [false, false]);
  connections.leave();
  assert.deepEqual([before.destroyed, shaking.destroyed], [true, true]);
  connections.greet(after, () => {});
  connections.shakeHands(shakingAfter);
  assert.deepEqual([after.destroyed, shakingAfter.destroyed], [true, true]);
});

test('frames in any order do no harm', async (t) => {
  let seed = 1;
  const below = (n: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const address = await serve(t, async () => {
    if (below(2) === 0) await new Promise((resolve) => setImmediate(resolve));
    if (below(3) === 0) throw new RpcError('NOT_FOUND', 'no');
    return { version: '1' };
  });
  await survives(t, async () => {
    for (let round = 0; round < 40; round++) {
      const clients = Array.from({ length: 20 }, () =>
        sendAndLeave(address, randomFrames(below), below(2) === 0),
      );
      await Promise.all(clients);
    }
    const call = channelTo(t, address).call(GET_VERSION, new Uint8Array(), { timeoutMs: 60_000 });
    await call.catch((error: unknown) => assert.equal((error as UnaryFailure).code, 5));
  });
});

let clients = 0;

async function sendAndLeave(address: string, frames: Buffer, isAbrupt: boolean): Promise<void> {
  const [host, port] = address.split(':');
  const socket = connectSocket(Number(port), host);
  const greeting = GREETINGS[++clients % 2] ?? Buffer.alloc(0);
  socket.on('error', () => {}).resume();
  const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
  socket.write(Buffer.concat([greeting, frames]), () => {
    setTimeout(() => (isAbrupt ? socket.resetAndDestroy() : socket.destroy()), 3);
  });
  await closed;
}
