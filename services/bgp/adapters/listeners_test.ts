import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { parseAddress, parsePrefix } from '@calico/ip';
import { PLAIN_SOCKET } from '../core/speaker/config.ts';
import { Listeners } from './listeners.ts';
import { RawTcpSocket } from './tcp_socket.ts';

const LOCAL = parseAddress('127.0.0.1');
const SECRET = { name: 'bgp', key: 'password', version: 1 };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, 'close');
  return port;
}

type Outcome = { readonly isIn: boolean; readonly problems: readonly (string | undefined)[] };

/** What becomes of a peer that does not sign and connects as soon as the listener is there. */
async function connectUnsigned(password: string | undefined): Promise<Outcome> {
  const problems: (string | undefined)[] = [];
  const listeners = new Listeners(
    new FakeClock(),
    () => ({ opened() {}, data() {}, drained() {}, closed() {} }),
    (problem) => problems.push(problem),
    () => password,
  );
  const port = await freePort();
  const socket = { ...PLAIN_SOCKET, password: SECRET };
  const peers = [{ prefix: parsePrefix('127.0.0.1/32'), socket }];
  listeners.set({ port, addresses: { 4: LOCAL, 6: undefined }, peers });
  const raw = new RawTcpSocket(4);
  try {
    // On the loopback interface a handshake takes no time.
    const isIn = raw.connect(LOCAL, port) || raw.connect(LOCAL, port);
    // Tells the outcome when it listens.
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    return { isIn, problems };
  } finally {
    raw.close();
    listeners.close();
  }
}

test('passwords are set before anybody can connect', async () => {
  assert.equal((await connectUnsigned(undefined)).isIn, true);
  assert.equal((await connectUnsigned('open sesame')).isIn, false);
});

test('a password that the kernel does not take is a problem, and others still get in', async () => {
  const { isIn, problems } = await connectUnsigned('');
  assert.equal(isIn, true);
  assert.match(problems.at(-1) ?? '', /Cannot set the TCP MD5 password/);
});
