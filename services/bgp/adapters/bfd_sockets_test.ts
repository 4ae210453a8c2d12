import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { BfdSockets } from './bfd_sockets.ts';

const LOCAL = parseAddress('127.0.0.1');
const SETTINGS = { minReceiveMs: 300, minTransmitMs: 300, detectMultiplier: 3, isMultihop: false };

test('packets that come as fast as they are read do not hold the thread', async () => {
  let count = 0;
  const next = (): void => {
    count += 1;
    if (count < 1_000) channel.send(Uint8Array.of(1));
  };
  const sockets = new BfdSockets(next, Math.random);
  const channel = sockets.open({ address: LOCAL, sourceAddress: LOCAL, settings: SETTINGS });
  try {
    channel.send(Uint8Array.of(1));
    sockets.drain();
    assert.equal(count, 256);
    sockets.drain();
    assert.equal(count, 512);
  } finally {
    channel.close();
    await sockets.close();
  }
});
