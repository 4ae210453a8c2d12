// Two ends on a socket pair, and a peer that is played frame by frame.
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CLIENT_GREETING, type ConnectionEvents, Http2Connection } from './connection.ts';
import {
  CODE,
  emptyFrame,
  FLAG,
  FRAME,
  type Frame,
  FrameReader,
  goAwayFrame,
  HEAD_BYTES,
  numberFrame,
  SETTING,
  settingsFrame,
} from './frames.ts';
import type { Headers } from './header_decoder.ts';
import type { Header } from './header_table.ts';
import type { Stream, StreamOwner } from './stream.ts';

async function sockets(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const accepted = new Promise<Socket>((resolve) => void server.once('connection', resolve));
  const near = connect(port, '127.0.0.1');
  const far = await accepted;
  server.close();
  t.after(() => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

/** What came of an exchange. */
class Recorder implements StreamOwner {
  readonly headers: Headers[] = [];
  readonly #chunks: Buffer[] = [];
  readonly #end = Promise.withResolvers<'complete' | 'too long' | number>();

  /** 'complete', 'too long', or the code of a reset. */
  get end(): Promise<'complete' | 'too long' | number> {
    return this.#end.promise;
  }

  get body(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  onHeaders(headers: Headers, isEnd: boolean): void {
    this.headers.push(headers);
    if (isEnd) this.#end.resolve('complete');
  }

  onData(bytes: Buffer, isEnd: boolean): void {
    this.#chunks.push(Buffer.from(bytes));
    if (isEnd) this.#end.resolve('complete');
  }

  onHeadersTooLong(): void {
    this.#end.resolve('too long');
  }

  onReset(code: number): void {
    this.#end.resolve(code);
  }
}

function clientOn(socket: Socket, events: Partial<ConnectionEvents> = {}): Http2Connection {
  return new Http2Connection(socket, 'client', { onClose: () => {}, ...events });
}

/** Answers every request with its own body. */
function echoOn(socket: Socket): Http2Connection {
  const connection: Http2Connection = new Http2Connection(socket, 'server', {
    onClose: () => {},
    onStream: (stream: Stream) => {
      const request = new Recorder();
      const answer = (): void =>
        connection.respond(stream, [[':status', '200']], request.body, [['grpc-status', '0']]);
      void request.end.then(answer);
      return request;
    },
  });
  return connection;
}

async function ready(socket: Socket): Promise<Http2Connection> {
  return await new Promise((resolve) => {
    const connection: Http2Connection = clientOn(socket, { onReady: () => resolve(connection) });
  });
}

/** A server that is played: `next()` answers what the client sends, beside the greeting. */
class Played {
  readonly #socket: Socket;
  readonly #frames: Frame[] = [];
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new FrameReader();
    let left = CLIENT_GREETING.length;
    socket.on('data', (chunk: Buffer) => {
      const skipped = Math.min(left, chunk.length);
      left -= skipped;
      reader.read(chunk.subarray(skipped), (frame) => this.#frames.push(frame));
      this.#wake();
    });
  }

  write(...frames: Buffer[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  /** The next frame of this type; others before it are left out. */
  async next(type: number): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame?.type === type) return frame;
      if (frame === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

test('bodies larger than any window go both ways, many at once', async (t) => {
  const [near, far] = await sockets(t);
  echoOn(far);
  const client = await ready(near);
  const exchanges = Array.from({ length: 12 }, (_, index) => {
    const body = Buffer.alloc(index * 1_000_000, index);
    const recorder = new Recorder();
    client.request([[':path', `/${index}`]], body, recorder);
    return { body, recorder };
  });
  for (const { body, recorder } of exchanges) {
    assert.equal(await recorder.end, 'complete');
    assert.ok(recorder.body.equals(body));
    assert.deepEqual(recorder.headers, [{ ':status': '200' }, { 'grpc-status': '0' }]);
  }
});

test('no more is sent than the peer allows, and the rest when it allows more', async (t) => {
  const [near, far] = await sockets(t);
  const peer = new Played(far);
  peer.write(settingsFrame([[SETTING.INITIAL_WINDOW_SIZE, 10]]));
  const client = await ready(near);
  client.request([], Buffer.alloc(25), new Recorder());
  assert.equal((await peer.next(FRAME.DATA)).payload.length, 10);
  peer.write(numberFrame(FRAME.WINDOW_UPDATE, 1, 5));
  assert.equal((await peer.next(FRAME.DATA)).payload.length, 5);
  peer.write(settingsFrame([[SETTING.INITIAL_WINDOW_SIZE, 100]]));
  const { payload, flags } = await peer.next(FRAME.DATA);
  assert.deepEqual([payload.length, flags], [10, FLAG.END_STREAM]);
});

test('a peer that allows more exchanges makes room', async (t) => {
  const [near, far] = await sockets(t);
  const peer = new Played(far);
  const rooms: boolean[] = [];
  const client: Http2Connection = clientOn(near, {
    onRoom: () => void rooms.push(client.hasRoom),
  });
  peer.write(settingsFrame([[SETTING.MAX_CONCURRENT_STREAMS, 1]]));
  await peer.next(FRAME.SETTINGS); // acknowledged
  client.request([], Buffer.alloc(1), new Recorder());
  assert.equal(client.hasRoom, false);
  peer.write(settingsFrame([[SETTING.MAX_CONCURRENT_STREAMS, 2]]));
  await peer.next(FRAME.SETTINGS);
  assert.deepEqual(rooms, [true]);
});

test('headers that are too long end their exchange, not the connection', async (t) => {
  const [near, far] = await sockets(t);
  const long: Header = ['x-long', '-'.repeat(100_000)];
  const server: Http2Connection = new Http2Connection(far, 'server', {
    onClose: () => {},
    onStream: (stream, headers) => {
      const path = headers[':path'];
      const more: Header[] = path === '/long' ? [['a', 'b'], long] : [['a', 'b']];
      queueMicrotask(() => server.respond(stream, [[':status', '200'], ...more]));
      return new Recorder();
    },
  });
  const client = await ready(near);
  const answerTo = async (headers: Header[]): Promise<Recorder> => {
    const recorder = new Recorder();
    client.request(headers, Buffer.alloc(1), recorder);
    await recorder.end;
    return recorder;
  };
  const inOrder = { ':status': '200', a: 'b' };
  assert.equal(await (await answerTo([[':path', '/long']])).end, 'too long');
  assert.deepEqual((await answerTo([[':path', '/short']])).headers, [inOrder]);
  assert.deepEqual((await answerTo([[':path', '/short'], long])).headers, [{ ':status': '431' }]);
  assert.deepEqual((await answerTo([[':path', '/short']])).headers, [inOrder]);
});

test('a peer that leaves refuses what it has not seen; the rest is answered', async (t) => {
  const [near, far] = await sockets(t);
  const peer = new Played(far);
  peer.write(settingsFrame([]));
  const client = await ready(near);
  const [seen, unseen] = [new Recorder(), new Recorder()];
  client.request([], Buffer.alloc(1), seen);
  client.request([], Buffer.alloc(1), unseen);
  peer.write(goAwayFrame(1, CODE.NO_ERROR));
  assert.equal(await unseen.end, CODE.REFUSED_STREAM);
  assert.equal(client.isUsable, false);
  const end = emptyFrame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, 1);
  end[HEAD_BYTES] = 0x88; // :status 200
  peer.write(end);
  assert.equal(await seen.end, 'complete');
  assert.deepEqual(seen.headers, [{ ':status': '200' }]);
});

test('an end that leaves lets calls finish, refuses new ones and closes', async (t) => {
  const [near, far] = await sockets(t);
  const release = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const server: Http2Connection = new Http2Connection(far, 'server', {
    onClose: () => closed.resolve(),
    onStream: (stream) => {
      void release.promise.then(() => server.respond(stream, [[':status', '200']]));
      return new Recorder();
    },
  });
  const client = await ready(near);
  const running = new Recorder();
  client.request([], Buffer.alloc(1), running);
  await new Promise<void>((resolve) => client.ping(resolve)); // the server has it
  server.leave();
  const late = new Recorder();
  client.request([], Buffer.alloc(1), late);
  assert.equal(await late.end, CODE.REFUSED_STREAM);
  release.resolve();
  assert.equal(await running.end, 'complete');
  await closed.promise;
});

test('an end that leaves does not wait for ever for the other one to close', async (t) => {
  const [near, far] = await sockets(t);
  near.write(CLIENT_GREETING);
  near.resume();
  near.allowHalfOpen = true;
  const gone = new Promise<void>((resolve) => void far.once('close', () => resolve()));
  echoOn(far).leave();
  await gone;
});

test('what breaks the protocol ends the connection, with every exchange on it', async (t) => {
  const headers = emptyFrame(FRAME.HEADERS, 0, 1, 0);
  const wrong: readonly Buffer[] = [
    emptyFrame(FRAME.DATA, 0, 3, 0),
    emptyFrame(FRAME.PING, 0, 0, 7).fill(0, HEAD_BYTES),
    numberFrame(FRAME.WINDOW_UPDATE, 0, 0),
    numberFrame(FRAME.WINDOW_UPDATE, 1, 2 ** 31 - 1),
    emptyFrame(FRAME.PUSH_PROMISE, 0, 1, 0),
    emptyFrame(FRAME.CONTINUATION, 0, 1, 0),
    Buffer.concat([headers, emptyFrame(FRAME.PING, 0, 0, 8).fill(0, HEAD_BYTES)]),
    Buffer.from('HTTP/1.0 400 Bad Request\r\n\r\n'),
  ];
  for (const bytes of wrong) {
    const [near, far] = await sockets(t);
    far.on('error', () => {});
    const closed = Promise.withResolvers<Error | undefined>();
    const peer = new Played(far);
    peer.write(settingsFrame([]));
    const onReady = Promise.withResolvers<void>();
    const client = clientOn(near, { onReady: onReady.resolve, onClose: closed.resolve });
    await onReady.promise;
    const running = new Recorder();
    client.request([], Buffer.alloc(1), running);
    peer.write(bytes);
    assert.match((await closed.promise)?.message ?? '', /^Protocol error: /);
    assert.equal(await running.end, CODE.CANCEL);
  }
});
