// What the peer may do to a unary call, played by a bare HTTP/2 server.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { createConnection, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { UnaryChannel } from './unary_channel.ts';
import { UnaryFailure } from './unary_failure.ts';
import { frameOf } from './unary_frame.ts';

const PATH = '/a.B/C';
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

function pathOf(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'unary-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'peer.sock');
}

async function serve(
  t: TestContext,
  path: string,
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<Http2Server> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    answer(stream, headers);
  });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  t.after(() => void server.close());
  return server;
}

function channelTo(t: TestContext, path: string, mostBytes?: number): UnaryChannel {
  const channel = new UnaryChannel({ kind: 'unix', path }, mostBytes);
  t.after(() => channel.close());
  return channel;
}

function succeed(stream: ServerHttp2Stream, parts: readonly Uint8Array[]): void {
  stream.respond(GRPC, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  for (const part of parts) stream.write(part);
  stream.end();
}

async function failure(running: Promise<unknown>): Promise<UnaryFailure> {
  try {
    await running;
  } catch (error) {
    assert.ok(error instanceof UnaryFailure, String(error));
    return error;
  }
  throw new Error('it succeeded');
}

const NOTHING = new Uint8Array();
const SOON = { timeoutMs: 60_000 };
const LONG = { timeoutMs: 90_000 };

test('an answer may come in pieces; calls share a connection', async (t) => {
  const path = pathOf(t);
  const frame = frameOf(Buffer.from('message'));
  await serve(t, path, (stream) =>
    succeed(stream, [frame.subarray(0, 3), frame.subarray(3, 8), frame.subarray(8)]),
  );
  const channel = channelTo(t, path);
  const calls = Array.from({ length: 50 }, () => channel.call(PATH, NOTHING, SOON));
  for (const answer of await Promise.all(calls)) {
    assert.equal(Buffer.from(answer).toString(), 'message');
  }
});

test('errors of the peer: status, text, and what is no gRPC', async (t) => {
  const path = pathOf(t);
  const answers = [
    { ...GRPC, 'grpc-status': '5', 'grpc-message': 'no%20%C3%A4' },
    { ':status': 503 },
    { ':status': 200, 'content-type': 'text/html' },
  ];
  await serve(t, path, (stream) => stream.respond(answers.shift() ?? {}, { endStream: true }));
  const channel = channelTo(t, path);
  const lost = await failure(channel.call(PATH, NOTHING, SOON));
  assert.deepEqual([lost.code, lost.details, lost.isSent], [5, 'no ä', true]);
  assert.equal((await failure(channel.call(PATH, NOTHING, SOON))).code, 14);
  assert.match((await failure(channel.call(PATH, NOTHING, SOON))).details, /HTTP status 200/);
});

test('nobody there: not sent, at once, and the next call after a moment finds who came', async (t) => {
  const path = pathOf(t);
  const channel = channelTo(t, path);
  const away = await failure(channel.call(PATH, NOTHING, SOON));
  assert.deepEqual([away.code, away.isSent], [14, false]);
  assert.match(away.details, /No connection established. Last error: .*ENOENT/);
  assert.match((await failure(channel.call(PATH, NOTHING, SOON))).details, /ENOENT/);
  await serve(t, path, (stream) => succeed(stream, [frameOf(NOTHING)]));
  await new Promise((resolve) => setTimeout(resolve, 80));
  await channel.call(PATH, NOTHING, SOON);
});

test('a connection that breaks during a call: sent, and the next call connects again', async (t) => {
  const path = pathOf(t);
  let calls = 0;
  await serve(t, path, (stream) => {
    if (++calls === 1) stream.session?.destroy();
    else succeed(stream, [frameOf(NOTHING)]);
  });
  const channel = channelTo(t, path);
  const broken = await failure(channel.call(PATH, NOTHING, SOON));
  assert.deepEqual([broken.code, broken.isSent], [14, true]);
  await channel.call(PATH, NOTHING, SOON);
  assert.equal(calls, 2);
});

test('a peer that is stopping refuses a call: it is sent again on a new connection', async (t) => {
  const path = pathOf(t);
  let calls = 0;
  await serve(t, path, (stream) => {
    if (++calls === 1)
      stream.close(7); // REFUSED_STREAM
    else succeed(stream, [frameOf(NOTHING)]);
  });
  await channelTo(t, path).call(PATH, NOTHING, SOON);
  assert.equal(calls, 2);
});

test('who waits for room is not kept by those who gave up before', async (t) => {
  const path = pathOf(t);
  const running = Promise.withResolvers<ServerHttp2Stream>();
  let calls = 0;
  const server = await serve(t, path, (stream) => {
    if (++calls === 1) running.resolve(stream);
    else succeed(stream, [frameOf(NOTHING)]);
  });
  server.updateSettings({ maxConcurrentStreams: 1 });
  const channel = channelTo(t, path);
  const first = channel.call(PATH, NOTHING, LONG);
  const stream = await running.promise;
  const impatience = new AbortController();
  const impatient = channel.call(PATH, NOTHING, { ...LONG, signal: impatience.signal });
  const patient = channel.call(PATH, NOTHING, LONG);
  impatience.abort();
  const { code, isSent } = await failure(impatient);
  assert.deepEqual([code, isSent], [1, false]);
  succeed(stream, [frameOf(NOTHING)]);
  await first;
  await patient;
  assert.equal(calls, 2);
});

test('a call that is sent again has only the time that is left', async (t) => {
  const path = pathOf(t);
  const timeouts: number[] = [];
  await serve(t, path, (stream, headers) => {
    timeouts.push(Number.parseInt(String(headers['grpc-timeout']), 10));
    if (timeouts.length === 1) setTimeout(() => stream.close(7), 60);
    else succeed(stream, [frameOf(NOTHING)]);
  });
  await channelTo(t, path).call(PATH, NOTHING, SOON);
  const [first = 0, second = 0] = timeouts;
  assert.ok(second > 0 && second <= first - 50, `${first} ms, then ${second} ms`);
});

test('a signal that has aborted before: nothing is sent', async (t) => {
  const path = pathOf(t);
  let calls = 0;
  await serve(t, path, (stream) => {
    calls++;
    succeed(stream, [frameOf(NOTHING)]);
  });
  const channel = channelTo(t, path);
  const aborted = { ...SOON, signal: AbortSignal.abort() };
  const early = await failure(channel.call(PATH, NOTHING, aborted)); // not connected yet
  assert.deepEqual([early.code, early.isSent], [1, false]);
  await channel.call(PATH, NOTHING, SOON);
  const late = await failure(channel.call(PATH, NOTHING, aborted));
  assert.deepEqual([late.code, late.isSent], [1, false]);
  assert.equal(calls, 1);
});

test('a peer that accepts and says nothing: the deadline ends the call', async (t) => {
  const path = pathOf(t);
  const silent = createSocketServer(() => {});
  await new Promise<void>((resolve) => void silent.listen(path, resolve));
  const dangling = createConnection(path);
  t.after(() => {
    dangling.destroy();
    silent.close();
  });
  const late = await failure(channelTo(t, path).call(PATH, NOTHING, { timeoutMs: 60 }));
  assert.equal(late.code, 4);
});

test('an answer longer than allowed is refused while it comes', async (t) => {
  const path = pathOf(t);
  await serve(t, path, (stream) => succeed(stream, [frameOf(Buffer.alloc(100_000))]));
  const long = await failure(channelTo(t, path, 10_000).call(PATH, NOTHING, SOON));
  assert.equal(long.code, 8);
});

test('an answer whose frame contradicts its length is INTERNAL', async (t) => {
  const path = pathOf(t);
  await serve(t, path, (stream) => succeed(stream, [Buffer.of(0, 0, 0, 0, 9, 1)]));
  const broken = await failure(channelTo(t, path).call(PATH, NOTHING, SOON));
  assert.equal(broken.code, 13);
});
