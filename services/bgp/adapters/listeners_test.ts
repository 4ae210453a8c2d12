import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
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

/** A busy kernel takes a moment, even on the loopback interface. */
const PATIENCE_MS = 60_000;

/**
 * Whether a peer gets in that does not sign and connects as soon as the listener is there.
 *
 * @param patienceMs how long it is waited for
 */
async function connectUnsigned(password: string | undefined, patienceMs: number): Promise<boolean> {
  const listeners = new Listeners(
    new FakeClock(),
    () => ({ opened() {}, data() {}, drained() {}, closed() {} }),
    () => {},
    () => password,
  );
  const port = await freePort();
  const socket = { ...PLAIN_SOCKET, password: SECRET };
  const peers = [{ prefix: parsePrefix('127.0.0.1/32'), socket }];
  listeners.set({ port, addresses: { 4: LOCAL, 6: undefined }, peers });
  const raw = new RawTcpSocket(4);
  try {
    const end = performance.now() + patienceMs;
    let isIn = raw.connect(LOCAL, port);
    // Some turns in any case: it tells the outcome when it listens.
    for (let turn = 0; turn < 10 || (!isIn && performance.now() < end); turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      isIn ||= raw.connect(LOCAL, port);
    }
    return isIn;
  } finally {
    raw.close();
    listeners.close();
  }
}

test('passwords are set before anybody can connect', async () => {
  assert.equal(await connectUnsigned(undefined, PATIENCE_MS), true);
  // Without a password it is in at once.
  assert.equal(await connectUnsigned('open sesame', 0), false);
});

test('whose password the kernel does not take is a problem and gets in no more, others do', async () => {
  const problems: (string | undefined)[] = [];
  const accepted: string[] = [];
  const listeners = new Listeners(
    new FakeClock(),
    (from) => {
      accepted.push(formatAddress(from));
      return { opened() {}, data() {}, drained() {}, closed() {} };
    },
    (problem) => problems.push(problem),
    () => '',
  );
  const port = await freePort();
  const signed = { ...PLAIN_SOCKET, password: SECRET };
  const peers = [
    { prefix: parsePrefix('127.0.0.2/32'), socket: signed },
    { prefix: parsePrefix('127.0.0.3/32'), socket: PLAIN_SOCKET },
  ];
  listeners.set({ port, addresses: { 4: LOCAL, 6: undefined }, peers });
  const connectFrom = (localAddress: string) =>
    connect({ host: '127.0.0.1', port, localAddress }).on('error', () => {});
  const refused = connectFrom('127.0.0.2').resume();
  await once(refused, 'close');
  const other = connectFrom('127.0.0.3');
  // Throws when it cannot connect.
  await once(other, 'connect');
  const end = performance.now() + PATIENCE_MS;
  while (accepted.length === 0 && performance.now() < end) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(accepted, ['127.0.0.3']);
  assert.match(problems.at(-1) ?? '', /Cannot set the TCP MD5 password for "127.0.0.2\/32"/);
  other.destroy();
  listeners.close();
});

test('an address for workloads is listened on before it is on an interface', async () => {
  const problems: (string | undefined)[] = [];
  const listeners = new Listeners(
    new FakeClock(),
    () => ({ opened() {}, data() {}, drained() {}, closed() {} }),
    (problem) => problems.push(problem),
    () => undefined,
  );
  const port = await freePort();
  const absent = parseAddress('192.0.2.179');
  const addresses = { 4: LOCAL, 6: undefined };
  listeners.set({ port, addresses, workloadPeering: [absent], peers: [] });
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert(problems.length > 0);
  assert.deepEqual(new Set(problems), new Set([undefined]));
  listeners.set({ port, addresses: { 4: absent, 6: undefined }, peers: [] });
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.match(problems.at(-1) ?? '', /Cannot listen on "192.0.2.179"/);
  listeners.close();
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

test('one link-local address on two links has one password; two of them are a problem', async () => {
  const problems: (string | undefined)[] = [];
  const listeners = new Listeners(
    new FakeClock(),
    () => ({ opened() {}, data() {}, drained() {}, closed() {} }),
    (problem) => problems.push(problem),
    ({ name }) => name,
  );
  const port = await freePort();
  const prefix = parsePrefix('fe80::1/128');
  const onLink = (name: string, secret: string) => ({
    prefix,
    interface: name,
    socket: { ...PLAIN_SOCKET, password: { ...SECRET, name: secret } },
  });
  const set = (...secrets: readonly string[]): void => {
    const peers = secrets.map((secret, index) => onLink(`eth${index}`, secret));
    listeners.set({ port, addresses: { 4: undefined, 6: parseAddress('::1') }, peers });
  };
  set('one', 'two');
  await until(() => problems.at(-1) !== undefined);
  assert.match(problems.at(-1) ?? '', /for "fe80::1%eth1": the kernel takes one for "fe80::1"/);
  set('one', 'one');
  await until(() => problems.at(-1) === undefined);
  listeners.close();
});
