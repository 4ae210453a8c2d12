import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@calico/clock';
import { parseAddress } from '@calico/ip';
import { StoreUnavailable } from '@calico/store';
import { inconsistencies } from '../core/consistency.ts';
import { IpamError } from '../core/ipam_error.ts';
import { assignRequest } from '../core/sample_requests.ts';
import { AddressBook } from './address_book.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/p';

function book(store: RecordMapStore): AddressBook {
  return new AddressBook(new ProgramRunner({ store, clock: systemClock, random: Math.random }));
}

function storeWith(cidr: string, blockSize: number): RecordMapStore {
  const store = new RecordMapStore();
  store.records.put(POOL_KEY, JSON.stringify({ spec: { cidr, blockSize } }));
  return store;
}

/** Different waits for every answer, so that callers overtake each other. */
function jitter(store: RecordMapStore): void {
  store.beforeAnswer = async () => {
    for (let i = Math.floor(Math.random() * 5); i > 0; i--) await Promise.resolve();
    if (Math.random() < 0.05) await systemClock.sleep(1);
  };
}

test('many assignments at once, by several processes for several nodes, never share an address', async () => {
  const store = storeWith('10.0.0.0/23', 28);
  jitter(store);
  const books = [book(store), book(store), book(store)] as const;
  const wanted = 400;
  const assigned = await Promise.all(
    Array.from({ length: wanted }, (_, i) =>
      books[(i % 3) as 0 | 1 | 2].autoAssign(assignRequest(`n${i % 7}`, `h${i}`)),
    ),
  );
  const addresses = assigned.flatMap((one) => one.addresses.map(({ address }) => address));
  assert.equal(addresses.length, wanted);
  assert.equal(new Set(addresses).size, wanted);
  assert.deepEqual(inconsistencies(store.records.values), []);
  const [use] = await books[0].utilization([]);
  assert.equal(use?.inUse, wanted);

  await Promise.all(
    addresses.map((_, i) => books[((i + 1) % 3) as 0 | 1 | 2].releaseByHandle(`h${i}`)),
  );
  const [after] = await books[0].utilization([]);
  assert.equal(after?.inUse, 0);
  assert.deepEqual(inconsistencies(store.records.values), []);
});

test('more requests than addresses: exactly as many succeed as there are addresses', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  jitter(store);
  const books = [book(store), book(store)] as const;
  const results = await Promise.allSettled(
    Array.from({ length: 80 }, (_, i) =>
      books[(i % 2) as 0 | 1].autoAssign(assignRequest(`n${i % 3}`, `h${i}`)),
    ),
  );
  const failures = results.filter((result) => result.status === 'rejected');
  assert.equal(results.length - failures.length, 64);
  for (const { reason } of failures) {
    assert.ok(reason instanceof IpamError);
    assert.equal(reason.reason, 'exhausted');
    assert.match(reason.message, /^Assigned 0 out of 1 requested IPv4 addresses; No IPs available/);
  }
  assert.deepEqual(inconsistencies(store.records.values), []);
});

test('the same request sent twice at once gets one address', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  jitter(store);
  const books = [book(store), book(store)] as const;
  const answers = await Promise.all(books.map((one) => one.autoAssign(assignRequest('n', 'same'))));
  assert.deepEqual(answers[0], answers[1]);
  assert.equal((await books[0].utilization([]))[0]?.inUse, 1);
});

test('a commit whose answer is lost is found by the repeated call', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  const original = store.commit.bind(store);
  let lost = false;
  store.commit = async (transaction) => {
    const result = await original(transaction);
    if (lost) return result;
    lost = true;
    throw new StoreUnavailable('unknown', 'Cannot reach etcd: connection lost');
  };
  const one = book(store);
  await assert.rejects(one.autoAssign(assignRequest('n', 'h')), StoreUnavailable);
  const { addresses } = await one.autoAssign(assignRequest('n', 'h'));
  assert.equal(addresses.length, 1);
  assert.equal((await one.utilization([]))[0]?.inUse, 1);
});

test('a loser of every race gives up with "contended"', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  let commits = 0;
  store.beforeAnswer = (kind) => {
    if (kind === 'commit')
      store.records.put(POOL_KEY, `{"spec":{"cidr":"10.0.0.0/26","n":${commits++}}}`);
  };
  await assert.rejects(
    book(store).autoAssign(assignRequest('n', 'h')),
    (error) => error instanceof IpamError && error.reason === 'contended',
  );
});

const release = (text: string) => ({
  address: parseAddress(text),
  handleId: undefined,
  sequenceNumber: undefined,
});

test('releaseIps() answers what was not assigned, over several blocks', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  const one = book(store);
  const { addresses } = await one.autoAssign(assignRequest('n', 'h', 20));
  const texts = addresses.map(({ address }) => address);
  const refused = await one.releaseIps([...texts, '10.9.9.9'].map(release));
  assert.deepEqual(refused, ['10.9.9.9']);
  assert.equal((await one.utilization([]))[0]?.inUse, 0);
  assert.deepEqual(inconsistencies(store.records.values), []);
});

test('claimAffinity() and releaseAffinity() treat every block of a CIDR', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  const one = book(store);
  const cidr = { family: 4, value: parseAddress('10.0.0.0').value, length: 27 } as const;
  const { claimed, failed } = await one.claimAffinity(cidr, 'n1');
  assert.deepEqual([claimed.length, failed.length], [4, 0]);
  assert.equal((await one.claimAffinity(cidr, 'n2')).failed.length, 4);
  await one.autoAssign(assignRequest('n1', 'h'));
  await assert.rejects(one.releaseAffinity('n1', undefined, true), /addresses are in use in 10\./);
  assert.equal((await one.releaseAffinity('n1', undefined, false)).length, 4);
  assert.deepEqual(inconsistencies(store.records.values), []);
});

test('a request whose caller has gone while records were read writes nothing', async () => {
  const store = storeWith('10.0.0.0/26', 29);
  const reading = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  store.beforeAnswer = async (kind) => {
    if (kind === 'commit') return;
    reading.resolve();
    await goOn.promise;
  };
  const gone = new AbortController();
  const call = book(store).autoAssign(assignRequest('n1', 'net.gone'), gone.signal);
  await reading.promise;
  gone.abort(new Error('gone'));
  await assert.rejects(call, /gone/);
  goOn.resolve();
  await systemClock.sleep(20);
  assert.equal(store.commits, 0);
});

test('an assignment compares of the node’s blocks only the one that it takes from', async () => {
  const store = storeWith('10.0.0.0/24', 30);
  const one = book(store);
  await one.autoAssign(assignRequest('n', 'h', 14));
  const compared: string[] = [];
  const commit = store.commit.bind(store);
  store.commit = (transaction) => {
    compared.push(...transaction.compare.map(({ key }) => key));
    return commit(transaction);
  };
  const { addresses } = await one.autoAssign(assignRequest('n', 'h2'));
  const name = addresses[0]?.block.replace('/', '-') ?? '';
  assert.deepEqual(compared.filter((key) => key.includes('/block/')).toSorted(), [
    `/calico/ipam/v2/assignment/ipv4/block/${name}`,
    `/calico/ipam/v2/host/n/ipv4/block/${name}`,
  ]);
});

test('another writer’s changes of what was only guessed are noticed, with one lost race', async () => {
  const store = storeWith('10.0.0.0/24', 30);
  let conflicts = 0;
  const onConflict = (): number => ++conflicts;
  const options = { store, clock: systemClock, random: () => 0, onConflict };
  const one = new AddressBook(new ProgramRunner(options));
  const { addresses } = await one.autoAssign(assignRequest('n', 'h'));
  const name = addresses[0]?.block.replace('/', '-') ?? '';

  store.records.put(`/calico/ipam/v2/host/n/ipv4/block/${name}`, '{"state":"pending"}');
  await one.autoAssign(assignRequest('n', 'h2', 3));
  assert.equal(conflicts, 1);
  assert.deepEqual(inconsistencies(store.records.values), []);

  // The block is full. That the node has got another one meanwhile is noticed before it takes a third.
  const other = await book(store).ensureBlock({ node: 'n', family: 4, pools: [] });
  const next = await one.autoAssign(assignRequest('n', 'h3'));
  assert.equal(next.addresses[0]?.block, other.block);
  assert.equal(conflicts, 2);
});
