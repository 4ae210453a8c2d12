import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '@calico/ip';
import type { Connection, ConnectionHandler } from '../ports.ts';
import { type Listener, listenTcp, tcpTransport } from './tcp_transport.ts';

const LOCAL = parseAddress('127.0.0.1');

/** A handler that remembers what it was told, as texts. */
class Recorder implements ConnectionHandler {
  readonly events: string[] = [];
  readonly #waiting = new Map<string, () => void>();

  opened(): void {
    this.#add('opened');
  }

  data(bytes: Uint8Array): void {
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

async function listening(): Promise<{ listener: Listener; next: Promise<Accepted> }> {
  const next = Promise.withResolvers<Accepted>();
  const listener = await listenTcp(LOCAL, 0, (from, connection) => {
    const recorder = new Recorder();
    next.resolve({ from: formatAddress(from), connection, recorder });
    return recorder;
  });
  return { listener, next: next.promise };
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

test('both ends hear each other, and of the end', async () => {
  const { listener, next } = await listening();
  try {
    const near = new Recorder();
    const target = { address: LOCAL, port: listener.port, sourceAddress: LOCAL };
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

test('a refused connection says so', async () => {
  const { listener } = await listening();
  listener.close();
  const near = new Recorder();
  tcpTransport.dial({ address: LOCAL, port: listener.port, sourceAddress: undefined }, near);
  await near.until('closed Connection refused');
  assert.deepEqual(near.events, ['closed Connection refused']);
});

test('an attempt that is given up says nothing', async () => {
  const { listener, next } = await listening();
  try {
    const near = new Recorder();
    const target = { address: LOCAL, port: listener.port, sourceAddress: undefined };
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
    const target = { address: LOCAL, port: listener.port, sourceAddress: undefined };
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
