import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMrt, joinBytes } from '@calico/bgp-wire';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';
import { dumpTable } from './mrt_dump.ts';

test('several paths of one peer keep their identifiers, other prefixes have none', () => {
  const { speaker, peer } = new ScriptedPeer();
  const prefix = parsePrefix('10.9.0.0/24');
  const nextHop = parseAddress('192.168.80.101');
  const { source } = peer.received;
  for (const pathId of [7, 9]) {
    const attributes = { origin: 0 as const, asPath: [], multiExitDiscriminator: pathId };
    speaker.rib.put({ prefix, source, pathId, data: { nextHop, attributes } });
  }
  speaker.flush();
  const lines = [...decodeMrt(joinBytes([...dumpTable(speaker, 0)]))].flatMap((record) =>
    record.kind === 'routes'
      ? record.entries.map(({ pathId }) => `${formatPrefix(record.prefix)} ${pathId ?? '-'}`)
      : [],
  );
  assert.deepEqual(lines.toSorted(), ['10.244.1.0/26 -', '10.9.0.0/24 7', '10.9.0.0/24 9']);
});
