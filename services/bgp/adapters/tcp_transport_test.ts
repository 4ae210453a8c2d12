import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { type PeerSocket, PLAIN_SOCKET } from '../core/speaker/config.ts';
import type { Connection, ConnectionHandler, DialTarget } from '../ports.ts';
import { createTcpTransport, type Listener, listenTcp, tcpTransport } from './tcp_transport.ts';

const LOCAL = parseAddress('127.0.0.1');

/** A handler that remembers what it was told, as texts. */
class Recorder implements ConnectionHandler {
  readonly events: string[] = [];
  readonly #waiting = new Map<string, () => void>();

  opened(): void {
    this.#add('opened');
  }

  data(bytes: Uint8Array): void {
    assert.equal(bytes.constructor, Uint8Array, 'no Buffer gets in');
    this.#add(`data ${new TextDecoder().decode(bytes)}`);
  }

  drained(): void {
    this.#add('drained');
  }

  closed(reason: string): void {
    this.#add(`closed ${reason}`);
  }

  async until(event: string): Promise<void> {
    if (this.events.includes(event)) return;
    await new Promise<void>((resolve) => this.#waiting.set(event, resolve));
  }

  #add(event: string): void {
    this.events.push(event);
    this.#waiting.get(event)?.();
  }
}

type Accepted = {
  readonly from: string;
  readonly connection: Connection;
  readonly recorder: Recorder;
};

async function listening(
  socket?: PeerSocket,
): Promise<{ listener: Listener; next: Promise<Accepted> }> {
  const next = Promise.withResolvers<Accepted>();
  const listener = await listenTcp({
    address: LOCAL,
    port: 0,
    socketOf: () => socket,
    accept(from, connection) {
      const recorder = new Recorder();
      next.resolve({ from: formatAddress(from), connection, recorder });
      return recorder;
    },
  });
  return { listener, next: next.promise };
}

function targetOf({ port }: Listener, changes: Partial<DialTarget> = {}): DialTarget {
  return { address: LOCAL, port, sourceAddress: undefined, socket: PLAIN_SOCKET, ...changes };
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

test('both ends hear each other, and of the end', async () => {
  const { listener, next } = await listening();
  try {
    const near = new Recorder();
    const target = targetOf(listener, { sourceAddress: LOCAL });
    const connection = tcpTransport.dial(target, near);
    assert.deepEqual(near.events, [], 'nothing is told before dial() has returned');
    const far = await next;
    assert.equal(far.from, '127.0.0.1');
    await near.until('opened');
    assert.equal(connection.send(text('hello')), true);
    await far.recorder.until('data hello');
    far.connection.send(text('last words'));
    far.connection.close();
    await near.until('closed Connection closed by peer');
    assert.deepEqual(near.events, [
      'opened',
      'data last words',
      'closed Connection closed by peer',
    ]);
    assert.deepEqual(far.recorder.events, ['data hello'], 'the end that closes hears no more');
  } finally {
    listener.close();
  }
});

test('what a peer does not read ends with the connection', async () => {
  const { listener, next } = await listening();
  const peer = connect({ host: '127.0.0.1', port: listener.port });
  peer.pause();
  const ended = new Promise<string>((resolve) => {
    peer.once('error', ({ message }) => resolve(message));
  });
  // It goes on to speak; that is how it hears of the end.
  const speaking = setInterval(() => peer.write('x'), 20);
  try {
    const { connection } = await next;
    assert.equal(connection.send(new Uint8Array(32 << 20)), false);
    connection.close();
    assert.match(await ended, /ECONNRESET|EPIPE/);
  } finally {
    clearInterval(speaking);
    listener.close();
    peer.destroy();
  }
});

test('a refused connection says so', async () => {
  const { listener } = await listening();
  listener.close();
  const near = new Recorder();
  tcpTransport.dial(targetOf(listener), near);
  await near.until('closed Connection refused');
  assert.deepEqual(near.events, ['closed Connection refused']);
});

test('an attempt that is given up says nothing', async () => {
  const { listener, next } = await listening();
  try {
    const near = new Recorder();
    const target = targetOf(listener);
    tcpTransport.dial(target, near).close();
    const second = new Recorder();
    const connection = tcpTransport.dial(target, second);
    await second.until('opened');
    await next;
    connection.close();
    assert.deepEqual(near.events, []);
  } finally {
    listener.close();
  }
});

test('send() says when the peer does not keep up, drained() when it does again', async () => {
  const { listener, next } = await listening();
  try {
    const near = new Recorder();
    const target = targetOf(listener);
    const connection = tcpTransport.dial(target, near);
    await next;
    await near.until('opened');
    const chunk = new Uint8Array(1_000_000);
    let isWritable = true;
    for (let count = 0; count < 50 && isWritable; count++) isWritable = connection.send(chunk);
    assert.equal(isWritable, false);
    await near.until('drained');
    connection.close();
  } finally {
    listener.close();
  }
});

const SECRET = { name: 'bgp', key: 'password', version: 1 };
const signing = createTcpTransport(() => 'open sesame');
const SIGNED = { ...PLAIN_SOCKET, password: SECRET };

test('TCP MD5: those who sign get in, others hear nothing', async () => {
  const { listener, next } = await listening();
  try {
    listener.setPassword(parsePrefix('127.0.0.0/8'), 'open sesame');
    const stranger = new Recorder();
    const attempt = tcpTransport.dial(targetOf(listener), stranger);
    const near = new Recorder();
    const connection = signing.dial(targetOf(listener, { socket: SIGNED }), near);
    assert.deepEqual(near.events, [], 'nothing is told before dial() has returned');
    await near.until('opened');
    connection.send(text('hello'));
    const far = await next;
    await far.recorder.until('data hello');
    far.connection.send(text('welcome'));
    await near.until('data welcome');
    assert.deepEqual(stranger.events, []);
    attempt.close();
    listener.setPassword(parsePrefix('127.0.0.0/8'), undefined);
    listener.setPassword(parsePrefix('127.0.0.0/8'), undefined);
    const late = new Recorder();
    const plain = tcpTransport.dial(targetOf(listener), late);
    await late.until('opened');
    for (const each of [plain, connection, far.connection]) each.close();
  } finally {
    listener.close();
  }
});

test('a socket with options says why it cannot connect', async () => {
  const { listener } = await listening();
  listener.close();
  const near = new Recorder();
  // With TCP MD5 nobody would hear the refusal: it is not signed.
  const socket = { ...PLAIN_SOCKET, ttl: 64 };
  tcpTransport.dial(targetOf(listener, { socket }), near);
  await near.until('closed Connection refused');
  const sourceAddress = parseAddress('192.0.2.77');
  const second = new Recorder();
  signing.dial(targetOf(listener, { socket: SIGNED, sourceAddress }), second);
  await second.until('closed The source address is not assigned to this node');
  const third = new Recorder();
  signing.dial(targetOf(listener, { socket: SIGNED }), third).close();
  assert.deepEqual(third.events, []);
});

test('what comes with too small a TTL is not heard (RFC 5082)', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  const near = new Recorder();
  const socket = { ...PLAIN_SOCKET, ttl: 255, minimumTtl: 255 };
  const target = { address: LOCAL, port, sourceAddress: undefined, socket };
  const connection = tcpTransport.dial(target, near);
  await once(server, 'connection', { signal: AbortSignal.timeout(200) }).catch(() => undefined);
  connection.close();
  server.close();
  assert.deepEqual(near.events, []);
});

/** Deno does not give out the descriptor of an accepted connection. */
const isDeno = 'Deno' in globalThis;

test('an accepted connection has the TTL of its peer, or the one of the kernel', async (t) => {
  if (isDeno) return t.skip('Deno: accepted connections start with TTL 255');
  const near = new Recorder();
  const { listener, next } = await listening();
  try {
    const socket = { ...PLAIN_SOCKET, ttl: 255, minimumTtl: 255 };
    const connection = tcpTransport.dial(targetOf(listener, { socket }), near);
    await near.until('opened');
    const far = await next;
    far.connection.send(text('with TTL 64'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(near.events, ['opened']);
    connection.close();
    far.connection.close();
  } finally {
    listener.close();
  }
  return undefined;
});

test('a TTL is what packets start with', async () => {
  const { listener, next } = await listening({ ...PLAIN_SOCKET, ttl: 255 });
  try {
    const near = new Recorder();
    const socket = { ...PLAIN_SOCKET, ttl: 255, minimumTtl: 255 };
    const connection = tcpTransport.dial(targetOf(listener, { socket }), near);
    await near.until('opened');
    const far = await next;
    far.connection.send(text('with TTL 255'));
    await near.until('data with TTL 255');
    connection.close();
    far.connection.close();
  } finally {
    listener.close();
  }
});

for (const [farewell, heard] of [
  ['not here', ['opened', 'data not here', 'closed Connection closed by peer']],
  [undefined, ['opened', 'closed Connection reset by peer']],
] as const) {
  test(`who is turned away hears ${farewell ?? 'nothing'}, whatever it has said itself`, async () => {
    const { listener, next } = await listening();
    const near = new Recorder();
    const connection = tcpTransport.dial(targetOf(listener), near);
    try {
      await near.until('opened');
      connection.send(text('who is there?'));
      const far = await next;
      far.connection.turnAway?.(farewell === undefined ? undefined : text(farewell));
      await near.until(heard.at(-1) ?? '');
      assert.deepEqual(near.events, heard);
      assert.deepEqual(far.recorder.events, []);
    } finally {
      connection.close();
      listener.close();
    }
  });
}

test('a stranger who does not leave is left', async () => {
  const { listener, next } = await listening();
  const stranger = connect({ host: '127.0.0.1', port: listener.port, allowHalfOpen: true });
  const ended = new Promise<string>((resolve) => {
    stranger.once('error', ({ message }) => resolve(message));
  });
  // More than the kernel keeps for one who does not read.
  const speaking = setInterval(() => stranger.write(new Uint8Array(1 << 20)), 20);
  try {
    const { connection, recorder } = await next;
    connection.turnAway?.(text('not here'));
    assert.match(await ended, /ECONNRESET|EPIPE/);
    assert.deepEqual(recorder.events, []);
  } finally {
    clearInterval(speaking);
    listener.close();
    stranger.destroy();
  }
});
