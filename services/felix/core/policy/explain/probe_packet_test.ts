import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressBytes, parseAddress } from '@calico/ip';
import { internetChecksum, probeFrame, probePacket } from './probe_packet.ts';

const flow = (family: 4 | 6, protocol: number) => ({
  source: parseAddress(family === 4 ? '10.0.0.1' : 'fd00::1'),
  destination: parseAddress(family === 4 ? '10.0.0.2' : 'fd00::2'),
  protocol,
  sourcePort: 40_000,
  destinationPort: 80,
  icmpType: family === 4 ? 8 : 128,
  icmpCode: 0,
});

test('headers say what follows, and every checksum is right', () => {
  for (const family of [4, 6] as const) {
    for (const protocol of [6, 17, family === 4 ? 1 : 58]) {
      const one = flow(family, protocol);
      const packet = probePacket(one);
      const header = family === 4 ? 20 : 40;
      const payload = packet.subarray(header);
      const view = new DataView(packet.buffer);
      assert.equal(
        view.getUint16(family === 4 ? 2 : 4),
        family === 4 ? packet.length : payload.length,
      );
      if (family === 4) assert.equal(internetChecksum(packet.subarray(0, 20)), 0);
      const addresses = [...addressBytes(one.source), ...addressBytes(one.destination)];
      const pseudo = protocol === 1 ? [] : [...addresses, 0, protocol, 0, payload.length];
      assert.equal(internetChecksum(Uint8Array.from([...pseudo, ...payload])), 0);
    }
  }
});

test('probeFrame() puts the packet behind an Ethernet header', () => {
  const frame = probeFrame(flow(6, 132), new Uint8Array(6).fill(1), new Uint8Array(6).fill(2));
  assert.deepEqual(
    [...frame.subarray(0, 15)],
    [2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 0x86, 0xdd, 0x60],
  );
  assert.equal(frame.length, 14 + 40 + 32);
});
