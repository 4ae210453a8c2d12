import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { diff, openNftables, openPacketTrace, type Rule, type TraceStep } from '@calico/nftables';
import { eventually } from '../lab/wait.ts';
import { cannotRun, makeNetns, netnsPath, runIn } from './netns_fixture.ts';

const SKIP = cannotRun;
let namespace = '';

before(() => {
  if (SKIP === false) namespace = makeNetns();
});

const rule = (comment: string, ...statements: Rule['statements']): Rule => ({
  statements,
  comment,
});

test('a packet is followed from rule to rule, and nothing is left behind', {
  skip: SKIP,
}, async () => {
  const netns = netnsPath(namespace);
  runIn(namespace, 'ip link set lo up');
  const table = openNftables({ table: 'calico', netns });
  const base = { type: 'filter', hook: 'input', priority: 0, policy: 'accept' } as const;
  const icmp = { kind: 'match', fields: ['meta l4proto'], operator: '==', value: '1' } as const;
  const chains = new Map([
    ['in-1', { base, rules: [rule('to policy', { kind: 'verdict', verdict: 'jump p/1' })] }],
    ['p/1', { rules: [rule('deny icmp', icmp, { kind: 'verdict', verdict: 'drop' })] }],
  ]);
  await table.commit(diff({ chains, sets: new Map() }, undefined));
  const packet = {
    family: 4,
    source: '127.0.0.1',
    destination: '127.0.0.1',
    protocol: 1,
    ports: undefined,
  } as const;
  const trace = await openPacketTrace({
    table: 'calico',
    packet,
    netns,
    interfaceName: (index) => (index === 1 ? 'lo' : undefined),
  });
  assert.throws(() => runIn(namespace, 'ping -n -c 1 -W 0.1 127.0.0.1'));
  const steps: TraceStep[] = [];
  await eventually(
    () => {
      steps.push(...trace.steps());
      return steps.some(({ verdict }) => verdict === 'drop');
    },
    10_000,
    () => `no drop among ${JSON.stringify(steps)}`,
  );
  const step = { table: 'calico', inputInterface: '', outputInterface: '' };
  assert.deepEqual(
    steps.filter(({ table: name }) => name === 'calico'),
    [
      { ...step, inputInterface: 'lo', chain: 'in-1', rule: 'to policy', verdict: 'jump p/1' },
      { ...step, chain: 'p/1', rule: 'deny icmp', verdict: 'drop' },
    ],
  );
  assert.match(runIn(namespace, 'nft list tables'), /calico-trace/);
  await trace.close();
  assert.equal(runIn(namespace, 'nft list tables'), 'table inet calico\n');
  await table.close();
});
