import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { diff, type LoggedPacket, openNftables, openPacketLog } from '@calico/nftables';
import { eventually } from '../lab/wait.ts';
import { cannotRun, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const SKIP = cannotRun;
let namespace = '';

before(() => {
  if (SKIP === false) namespace = makeNetns();
});

test('a log group gives the beginning of each packet, with the prefix of the rule', {
  skip: SKIP,
}, async () => {
  const netns = netnsPath(namespace);
  runIn(namespace, 'ip link set lo up');
  const log = openPacketLog({ group: 3, netns });
  const table = openNftables({ table: 'calico', netns });
  const base = { type: 'filter', hook: 'input', priority: 0, policy: 'accept' } as const;
  const prefix = `NetworkPolicy default/${'x'.repeat(70)} ingress rule 1 Deny`;
  const statements = [
    { kind: 'log', prefix, group: 3 },
    { kind: 'verdict', verdict: 'drop' },
  ] as const;
  const chains = new Map([['in-1', { base, rules: [{ statements, comment: prefix }] }]]);
  await table.commit(diff({ chains, sets: new Map() }, undefined));
  assert.deepEqual((await table.list())?.chains.get('in-1')?.rules[0]?.statements, statements);
  assert.throws(() => runIn(namespace, 'ping -n -c 1 -W 0.1 127.0.0.1'));
  const packets: LoggedPacket[] = [];
  await eventually(
    () => {
      packets.push(...log.read().packets);
      return packets.length > 0;
    },
    10_000,
    () => 'nothing was logged',
  );
  assert.equal(packets[0]?.prefix, prefix);
  // IPv4, from 127.0.0.1.
  assert.equal(packets[0]?.bytes[0], 0x45);
  assert.deepEqual([...(packets[0]?.bytes.subarray(12, 16) ?? [])], [127, 0, 0, 1]);
  log.close();
  await table.close();
});
