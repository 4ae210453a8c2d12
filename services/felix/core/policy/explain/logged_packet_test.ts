import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress } from '@calico/ip';
import * as fc from 'fast-check';
import { readLoggedPacket } from './logged_packet.ts';
import { probePacket } from './probe_packet.ts';

test('readLoggedPacket() reads addresses, protocol and port of both IP versions', () => {
  for (const [source, destination] of [
    ['10.0.0.1', '10.0.0.2'],
    ['fd00::1', 'fd00::2'],
  ] as const) {
    for (const [protocol, port] of [
      [6, 80],
      [17, 53],
      [132, 9],
      [47, 0],
    ] as const) {
      const bytes = probePacket({
        source: parseAddress(source),
        destination: parseAddress(destination),
        protocol,
        sourcePort: 40_000,
        destinationPort: port,
        icmpType: 0,
        icmpCode: 0,
      });
      const flow = readLoggedPacket(bytes.subarray(0, 64));
      assert.equal(flow && formatAddress(flow.source), source);
      assert.equal(flow && formatAddress(flow.destination), destination);
      assert.deepEqual([flow?.protocol, flow?.destinationPort], [protocol, port]);
      assert.equal(flow?.sourcePort, port === 0 ? 0 : 40_000);
    }
  }
});

test('readLoggedPacket() survives any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const flow = readLoggedPacket(bytes);
      if (bytes.length < 20) assert.equal(flow, undefined);
    }),
    { numRuns: 2000 },
  );
});
