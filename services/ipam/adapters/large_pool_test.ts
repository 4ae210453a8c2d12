// A pool with 16,384 blocks in use: how many records a request reads.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { systemClock } from '@calico/clock';
import { formatPrefix, type Prefix, parsePrefix, subnets } from '@calico/ip';
import { assignFree } from '../core/block_algebra.ts';
import { CONFIRMED } from '../core/records/affinity.ts';
import { formatBlock, newBlock } from '../core/records/block.ts';
import { affinityKey, blockKey } from '../core/records/keys.ts';
import { assignRequest } from '../core/sample_requests.ts';
import type { RecordStore } from '../ports.ts';
import { AddressBook } from './address_book.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/p';
const NOW = Date.now();
const IN_USE = 16_384;
const BLOCKS_PER_NODE = 16;
/** Half of the pool. */
const BLOCKS = [...subnets(parsePrefix('10.0.0.0/11'), 26)].filter((_, index) => index % 2 === 0);

const store = new RecordMapStore();
let read = 0;

/** Counts every record that an answer holds, and every key that was asked for. */
const counting: RecordStore = {
  get: (key) => {
    read++;
    return store.get(key);
  },
  list: async (prefix) => {
    const listing = await store.list(prefix);
    read += listing.entries.length;
    return listing;
  },
  commit: (transaction) => store.commit(transaction),
};

function put(cidr: Prefix, node: string, used: number): void {
  const owner = { handleId: `net.${formatPrefix(cidr).replace('/', '-')}`, secondary: { node } };
  const { block } = assignFree(newBlock(cidr, `host:${node}`, NOW), used, owner);
  store.records.put(blockKey(cidr), formatBlock(block));
  store.records.put(affinityKey(node, cidr), CONFIRMED);
}

before(() => {
  assert.equal(BLOCKS.length, IN_USE);
  store.records.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/11', blockSize: 26 } }));
  for (const [index, cidr] of BLOCKS.entries()) {
    const isLast = index % BLOCKS_PER_NODE === BLOCKS_PER_NODE - 1;
    put(cidr, `n${Math.floor(index / BLOCKS_PER_NODE)}`, isLast ? 60 : 64);
  }
});

/** What a process that has just started reads for one request. */
async function readBy(node: string, handleId: string): Promise<number> {
  const book = new AddressBook(
    new ProgramRunner({ store: counting, clock: systemClock, random: Math.random }),
  );
  read = 0;
  const { addresses } = await book.autoAssign(assignRequest(node, handleId));
  assert.equal(addresses.length, 1);
  return read;
}

test('a node with a free address reads its own blocks', async () => {
  const count = await readBy('n7', 'net.own');
  assert.ok(count <= 2 * BLOCKS_PER_NODE + 10, `${count} records`);
});

test('a node that needs a block looks at some candidates', async () => {
  for (let number = 0; number < 20; number++) {
    const count = await readBy(`new-${number}`, `net.new-${number}`);
    assert.ok(count <= 60, `${count} records`);
  }
});

test('a request that is repeated by the same process reads nothing', async () => {
  const book = new AddressBook(
    new ProgramRunner({ store: counting, clock: systemClock, random: Math.random }),
  );
  await book.autoAssign(assignRequest('n9', 'net.first'));
  read = 0;
  await book.autoAssign(assignRequest('n9', 'net.second'));
  assert.equal(read, 0);
});

test('a full pool is listed once', async () => {
  const full = new RecordMapStore();
  const spec = { cidr: '10.0.0.0/28', blockSize: 30 };
  full.records.put(POOL_KEY, JSON.stringify({ spec }));
  const book = new AddressBook(
    new ProgramRunner({ store: full, clock: systemClock, random: Math.random }),
  );
  await book.autoAssign(assignRequest('n1', 'net.all', 16));
  let listed = 0;
  const list = full.list.bind(full);
  full.list = (prefix) => {
    if (prefix.includes('/block/') && prefix.includes('/assignment/')) listed++;
    return list(prefix);
  };
  await assert.rejects(book.autoAssign(assignRequest('n2', 'net.more')), /No IPs available/);
  assert.equal(listed, 1);
});
