import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '@calico/ip';
import { NetlinkError } from '@calico/netlink';
import { Poller } from './poller.ts';
import { UdpSocket } from './udp_socket.ts';

const LOOPBACK = { 4: parseAddress('127.0.0.1'), 6: parseAddress('::1') } as const;

/** A socket on a port that happens to be free. */
function anywhere(family: 4 | 6, options: { minimumHops?: number } = {}): [UdpSocket, number] {
  for (let port = 52_000 + (process.pid % 8_000); port < 65_535; port++) {
    try {
      return [new UdpSocket({ family, address: LOOPBACK[family], port, ...options }), port];
    } catch (cause) {
      if (!(cause instanceof NetlinkError) || cause.code !== 'EADDRINUSE') throw cause;
    }
  }
  throw new Error('no free port');
}

function sender(family: 4 | 6, port: number, hops: number): UdpSocket {
  const address = LOOPBACK[family];
  return new UdpSocket({ family, address, port: 0, hops, remote: { address, port } });
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: the kernel drops what comes from farther away`, async () => {
    const [socket, port] = anywhere(family, { minimumHops: 255 });
    const poller = new Poller();
    const arrived = Promise.withResolvers<string>();
    poller.add(socket.fd, () => {
      const datagram = socket.receive();
      if (datagram === undefined) return;
      arrived.resolve(`${datagram.bytes[0]} from ${formatAddress(datagram.from)}`);
    });
    const far = sender(family, port, 254);
    const near = sender(family, port, 255);
    far.send(Uint8Array.of(1));
    near.send(Uint8Array.of(2));
    assert.equal(await arrived.promise, `2 from ${formatAddress(LOOPBACK[family])}`);
    assert.equal(socket.receive(), undefined);
    poller.remove(socket.fd);
    for (const each of [far, near, socket]) each.close();
    await poller.close();
  });
}

test('a port that is taken is said by its code', () => {
  const [socket, port] = anywhere(4);
  const again = () => new UdpSocket({ family: 4, address: LOOPBACK[4], port });
  assert.throws(again, (cause) => cause instanceof NetlinkError && cause.code === 'EADDRINUSE');
  socket.close();
});

test('sending to nobody is no error of the receiving side', () => {
  const [socket, port] = anywhere(4);
  socket.close();
  const lonely = sender(4, port, 255);
  lonely.send(Uint8Array.of(1));
  assert.equal(lonely.receive(), undefined);
  lonely.send(Uint8Array.of(2));
  assert.equal(lonely.receive(), undefined);
  lonely.close();
});
