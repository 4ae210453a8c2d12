import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { type Clock, systemClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import type { BmpSettings } from '../core/bmp/settings.ts';
import type { CollectorSource } from '../ports.ts';
import { BmpClient } from './bmp_client.ts';

const info = (): void => {};
const QUIET = { info, warn: () => {} };

/** Has a number of chunks to tell to each new connection. */
class Chunks implements CollectorSource {
  isConnected = false;
  left = 0;
  taken = 0;
  readonly #count: number;
  readonly #bytes: number;

  constructor(count: number, bytes: number) {
    this.#count = count;
    this.#bytes = bytes;
  }

  connected(): void {
    this.isConnected = true;
    this.left = this.#count;
  }

  disconnected(): void {
    this.isConnected = false;
  }

  take(): Uint8Array | undefined {
    if (this.left === 0) return undefined;
    this.left -= 1;
    this.taken += 1;
    return new Uint8Array(this.#bytes).fill(1);
  }

  farewell(): Uint8Array {
    return Uint8Array.of(9);
  }
}

async function listen(accept: (socket: Socket) => void): Promise<[Server, BmpSettings]> {
  const server = createServer(accept);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const tables = { prePolicy: true, postPolicy: true, locRib: true, statisticsMs: undefined };
  return [server, { address: parseAddress('127.0.0.1'), port, ...tables }];
}

test('a collector that cannot be reached is said once', async () => {
  const [server, target] = await listen(() => {});
  server.close();
  await once(server, 'close');
  const lines: string[] = [];
  const warn = (message: string, { reason }: { reason?: string } = {}): void => {
    lines.push(`${message}: ${reason}`);
  };
  const thrice = Promise.withResolvers<void>();
  let attempts = 0;
  const setTimer: Clock['setTimer'] = (_delayMs, retry) => {
    attempts += 1;
    if (attempts === 3) thrice.resolve();
    else setImmediate(retry);
    return () => {};
  };
  const client = new BmpClient({ ...systemClock, now: () => 0, setTimer }, { info, warn });
  client.configure(target, new Chunks(1, 1));
  await thrice.promise;
  client.close();
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^collector cannot be reached: .*ECONNREFUSED/);
});

test('everything arrives, goodbye included', async () => {
  const chunks: Uint8Array[] = [];
  const ended = Promise.withResolvers<void>();
  const full = Promise.withResolvers<void>();
  const [server, target] = await listen((socket) => {
    socket.on('data', (bytes) => {
      chunks.push(bytes);
      if (chunks.reduce((sum, { length }) => sum + length, 0) >= 100_000) full.resolve();
    });
    socket.on('end', () => ended.resolve());
  });
  const client = new BmpClient(systemClock, QUIET);
  client.configure(target, new Chunks(100, 1_000));
  await full.promise;
  client.close();
  await ended.promise;
  const whole = Buffer.concat(chunks);
  assert.equal(whole.length, 100_001);
  assert.equal(whole.at(-1), 9);
  server.close();
});

test('a collector that does not read is given no more than buffers hold', async () => {
  const accepted = Promise.withResolvers<Socket>();
  const [server, target] = await listen((socket) => {
    socket.pause();
    accepted.resolve(socket);
  });
  const source = new Chunks(10_000, 64 * 1024);
  const client = new BmpClient(systemClock, QUIET);
  client.configure(target, source);
  const socket = await accepted.promise;
  while (source.taken === 0) await systemClock.sleep(10);
  await systemClock.sleep(300);
  const held = source.taken;
  assert.ok(held > 0 && held < 1_000, `${held} chunks of 64 KiB are held`);
  client.close();
  socket.destroy();
  server.close();
});

test('a lost collector, and one that was too slow, is connected anew and begins at the start', async () => {
  const counts: number[] = [];
  const third = Promise.withResolvers<void>();
  const source = new Chunks(1, 10);
  const client = new BmpClient(systemClock, QUIET);
  const [server, target] = await listen((socket) => {
    counts.push(source.left);
    socket.once('data', () => {
      if (counts.length === 1) socket.destroy();
      if (counts.length === 2) {
        // It has fallen behind: the source gives up on this connection.
        source.isConnected = false;
        client.wake();
      }
      if (counts.length === 3) third.resolve();
    });
  });
  client.configure(target, source);
  await third.promise;
  client.close();
  assert.equal(source.taken, 3);
  server.close();
});
