import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import { elsewhereKey, handleKey, nodeKey, workloadEndpointKey } from '../core/records/keys.ts';
import { assignRequest } from '../core/sample_requests.ts';
import { AddressBook } from './address_book.ts';
import { NodeRemover } from './node_remover.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/p';

/** A node with an address in a block of its own, which nobody uses. */
async function world() {
  const store = new RecordMapStore();
  store.records.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/24', blockSize: 28 } }));
  store.records.put(nodeKey('n1'), '{}');
  const process = () => new ProgramRunner({ store, clock: systemClock, random: Math.random });
  const [runner, other] = [process(), new AddressBook(process())];
  await other.autoAssign(assignRequest('n1', 'net.early'));
  /** As ipam and the api do together. */
  const startWorkload = async (): Promise<void> => {
    const workload = { namespace: 'default', name: 'n1-k8s-late-eth0', containerId: 'late' };
    await other.autoAssign({ ...assignRequest('n1', 'net.late'), workload });
    const spec = { node: 'n1', containerID: 'late' };
    const key = workloadEndpointKey(workload.namespace, workload.name);
    store.records.put(key, JSON.stringify({ spec }));
  };
  return { store, startWorkload, remover: new NodeRemover(store, runner, new AddressBook(runner)) };
}

/** Removes the node; a workload starts before the commit of this number. */
async function removeUnder(number: number) {
  const { store, startWorkload, remover } = await world();
  let commits = 0;
  store.beforeAnswer = async (kind) => {
    if (kind !== 'commit' || commits++ !== number) return;
    store.beforeAnswer = () => {};
    await startWorkload();
  };
  const refusal = await remover.remove('n1').then(
    () => '',
    (error: unknown) => String(error),
  );
  return { refusal, isThere: store.records.values.has(nodeKey('n1')), commits };
}

test('a workload that starts at any moment of the removal keeps its Node', async () => {
  const undisturbed = await removeUnder(-1);
  assert.deepEqual([undisturbed.refusal, undisturbed.isThere], ['', false]);
  for (let number = 0; number < undisturbed.commits; number++) {
    const { refusal, isThere } = await removeUnder(number);
    assert.match(refusal, /Node "n1": 1 workload endpoint\(s\) .* default\/n1-k8s-late/);
    assert.ok(isThere, `commit ${number}`);
  }
});

/** All blocks are n2's; n1 takes an address of one before the operation of this number of the removal. */
async function removeWhileBorrowing(number: number) {
  const { store, remover } = await world();
  const other = new AddressBook(
    new ProgramRunner({ store, clock: systemClock, random: Math.random }),
  );
  await other.releaseByHandle('net.early');
  await other.releaseAffinity('n1', undefined, true);
  const blocks = { family: 4, value: parseAddress('10.0.0.0').value, length: 24 } as const;
  await other.claimAffinity(blocks, 'n2');
  await other.autoAssign(assignRequest('n1', 'net.borrowed'));
  let operations = 0;
  store.beforeAnswer = async () => {
    if (operations++ !== number) return;
    store.beforeAnswer = () => {};
    await other.autoAssign(assignRequest('n1', 'net.late'));
  };
  await remover.remove('n1');
  store.beforeAnswer = () => {};
  const isThere = store.records.values.has(nodeKey('n1'));
  return { isThere, left: (await other.utilization([]))[0]?.inUse, operations };
}

test('an address that the node takes of another’s block at any moment of its removal goes with it', async () => {
  const undisturbed = await removeWhileBorrowing(-1);
  assert.deepEqual([undisturbed.left, undisturbed.isThere], [0, false]);
  assert.ok(undisturbed.operations > 10);
  for (let number = 0; number < undisturbed.operations; number++) {
    const { left, isThere } = await removeWhileBorrowing(number);
    assert.deepEqual([left, isThere], [0, false], `operation ${number}`);
  }
});

test('an assignment that waits for its commit while the Node is removed is refused', async () => {
  const { store, remover } = await world();
  store.records.put(nodeKey('n2'), '{}');
  const other = new AddressBook(
    new ProgramRunner({ store, clock: systemClock, random: Math.random }),
  );
  const blocks = { family: 4, value: parseAddress('10.0.0.0').value, length: 24 } as const;
  const assignments = [
    () => other.autoAssign(assignRequest('n2', 'net.late')),
    () => {
      const owner = { handleId: 'net.late', secondary: { node: 'n2' } };
      const address = parseAddress('10.0.0.77');
      return other.assignIp({ address, node: 'n2', owner, use: undefined });
    },
  ];
  await other.claimAffinity(blocks, 'n1');
  for (const assign of assignments) {
    store.records.put(nodeKey('n2'), '{}');
    store.beforeAnswer = async (kind) => {
      if (kind !== 'commit') return;
      store.beforeAnswer = () => {};
      await remover.remove('n2');
    };
    await assert.rejects(assign(), /Cannot assign .* node "n2": its Node was deleted meanwhile/);
    assert.equal(store.records.values.has(handleKey('net.late')), false);
    assert.equal(store.records.values.has(elsewhereKey('n2')), false);
  }
});

test('what a node without a Node took of another’s block goes with its removal, and so does the mark', async () => {
  const { store, remover } = await world();
  const other = new AddressBook(
    new ProgramRunner({ store, clock: systemClock, random: Math.random }),
  );
  const blocks = { family: 4, value: parseAddress('10.0.0.0').value, length: 24 } as const;
  await other.claimAffinity(blocks, 'n1');
  const { addresses } = await other.autoAssign(assignRequest('n2', 'net.borrowed'));
  assert.ok(store.records.values.has(elsewhereKey('n2')));
  const removed = await remover.remove('n2');
  assert.deepEqual(removed.addresses, [addresses[0]?.address]);
  assert.equal(removed.revision, 0n);
  assert.equal(store.records.values.has(elsewhereKey('n2')), false);
});

test('an address whose handle lost its record does not hold up the removal', async () => {
  const { store, remover } = await world();
  store.records.delete('/calico/ipam/v2/handle/net.early');
  const { addresses, blocks } = await remover.remove('n1');
  assert.deepEqual([addresses, blocks.length], [[], 1]);
  assert.equal(store.records.values.has(nodeKey('n1')), false);
});
