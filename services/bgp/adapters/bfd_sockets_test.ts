import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { NetlinkError } from '@calico/netlink';
import type { BfdChannel } from '../core/bfd/engine.ts';
import { BfdSockets } from './bfd_sockets.ts';

const LOCAL = parseAddress('127.0.0.1');
const SETTINGS = { minReceiveMs: 300, minTransmitMs: 300, detectMultiplier: 3, isMultihop: false };
/** A busy kernel delivers a moment after it has taken a packet, even on the loopback interface. */
const PATIENCE_MS = 60_000;

/** Undefined when another BFD has the port on the machine that this runs on. */
function openLocal(sockets: BfdSockets): BfdChannel | undefined {
  try {
    return sockets.open({ address: LOCAL, sourceAddress: LOCAL, settings: SETTINGS });
  } catch (cause) {
    if (cause instanceof NetlinkError && cause.code === 'EADDRINUSE') return undefined;
    throw cause;
  }
}

test('packets that come as fast as they are read do not hold the thread', async (t) => {
  let count = 0;
  const next = (): void => {
    count += 1;
    if (count < 1_000) channel?.send(Uint8Array.of(1));
  };
  const sockets = new BfdSockets(next, Math.random);
  const channel = openLocal(sockets);
  if (channel === undefined) return t.skip('another BFD has the port');
  try {
    channel.send(Uint8Array.of(1));
    const end = performance.now() + PATIENCE_MS;
    for (let left = 512; left > 0 && performance.now() < end; ) {
      const before = count;
      sockets.drain();
      const read = count - before;
      assert.ok(read <= 256, `${read} packets are read at once`);
      left -= read;
    }
    assert.ok(count >= 512, `${count} packets have come`);
  } finally {
    channel.close();
    await sockets.close();
  }
});
