// Ownership of addresses under faults: concurrent clients of three ipam processes, which are killed,
// whose clocks jump, whose etcd stops for seconds; nodes are declared gone while they go on assigning,
// and the pool is disabled now and then.
//
//   node --test integration/ipam/history_integration_test.ts                       20,000 operations
//   HISTORY_OPERATIONS=200000 node --test integration/ipam/history_integration_test.ts
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@calico/clock';
import { RpcError } from '@calico/rpc';
import { type Ipam, IpamFixture, SKIP } from './fixture.ts';
import { doubleOwners, type Holding } from './history.ts';

const OPERATIONS = Number(process.env['HISTORY_OPERATIONS'] ?? 20_000);
const CLIENTS = 48;
const NODES = 6;
const SERVICES = 3;
const MOST_HELD = 5;
/** Of a request of ipam to etcd: less than etcd pauses now and then. */
const ETCD_SECONDS = 3;
const CLOCK = [fileURLToPath(new URL('jumping_clock.ts', import.meta.url))];
const REFUSALS = new Set(['RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'NOT_FOUND']);
const POOL = { cidr: '10.64.0.0/24', blockSize: 28 };

function holding(handleId: string, from: number, until: number): Holding {
  return { handleId, address: '10.0.0.1', assigned: [from - 5, from], released: until };
}

test('doubleOwners() finds two sure owners at once, and nothing else', () => {
  assert.deepEqual(doubleOwners([holding('a', 10, 20), holding('b', 21, 30)]), []);
  assert.deepEqual(doubleOwners([holding('b', 20, 30), holding('a', 10, 20)]), []);
  assert.equal(doubleOwners([holding('a', 10, 20), holding('b', 19, 30)]).length, 1);
  assert.equal(
    doubleOwners([holding('a', 10, 99), holding('b', 12, 13), holding('c', 50, 60)]).length,
    2,
  );
  assert.equal(doubleOwners([holding('a', 10, Infinity), holding('b', 500, 501)]).length, 1);
});

describe('history of ipam under faults', { skip: SKIP }, () => {
  let fixture: IpamFixture;
  const services: Ipam[] = [];
  const holdings: Holding[] = [];
  const counts: Record<string, number> = {};
  let operations = 0;

  before(async () => {
    fixture = await IpamFixture.start();
    await fixture.putPool('history', POOL);
    for (let i = 0; i < NODES; i++) await fixture.putNode(`n${i}`);
    for (let i = 0; i < SERVICES; i++)
      services.push(await fixture.startService(CLOCK, ETCD_SECONDS));
  });

  after(async () => {
    await fixture?.stop();
  });

  function count(what: string): void {
    counts[what] = (counts[what] ?? 0) + 1;
  }

  function isDone(): boolean {
    return operations >= OPERATIONS;
  }

  function any(): Ipam {
    const chosen = services[Math.floor(Math.random() * services.length)];
    if (chosen === undefined) throw new RangeError('no service');
    return chosen;
  }

  /** Mostly the same for the same node, as in a cluster; sometimes another. */
  function oneFor(handleId: string): Ipam {
    const number = Number(/\d+/.exec(handleId)?.[0]);
    return (Math.random() < 0.8 ? services[number % services.length] : undefined) ?? any();
  }

  /** Repeats a call until its outcome is known; undefined: it was refused. */
  async function settle<T>(what: string, call: (ipam: Ipam) => Promise<T>, handleId = '') {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await call(oneFor(handleId));
        operations++;
        count(what);
        return { answer, attempt };
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (REFUSALS.has(error.code)) {
          operations++;
          count(`${what} ${error.code}`);
          return undefined;
        }
        count(`repeated: ${error.code}`);
        assert.ok(attempt < 2_000, `${what}: ${error.message}`);
        await systemClock.sleep(20 + 80 * Math.random());
      }
    }
  }

  async function client(number: number): Promise<void> {
    const held: { handleId: string; of: Holding[] }[] = [];
    for (let i = 0; !isDone(); i++) {
      const draw = Math.random();
      if (held.length === 0 || (held.length < MOST_HELD && draw < 0.5)) {
        const taken = await assign(`net.${number}-${i}`, `n${number % NODES}`);
        if (taken !== undefined) held.push(taken);
      } else {
        const [one] = held.splice(Math.floor(Math.random() * held.length), 1);
        if (one === undefined) continue;
        if (draw > 0.9) await verify(one.handleId, one.of);
        await release(one.handleId, one.of);
      }
    }
    for (const { handleId, of } of held) await release(handleId, of);
  }

  async function assign(handleId: string, node: string) {
    const request = performance.now();
    const ipv4Count = Math.random() < 0.2 ? 2 : 1;
    const done = await settle(
      'assign',
      (ipam) => ipam.autoAssign({ node, handleId, ipv4Count, attributes: { node } }),
      handleId,
    );
    const answer = performance.now();
    if (done === undefined) {
      // Refused after a part of it was assigned: nobody uses that part.
      await settle('release', (ipam) => ipam.releaseByHandle({ handleId }));
      return undefined;
    }
    const of = done.answer.addresses.map(({ address }) => ({
      handleId,
      address,
      assigned: [request, answer] as const,
      released: Number.POSITIVE_INFINITY,
    }));
    holdings.push(...of);
    return { handleId, of };
  }

  async function verify(handleId: string, of: readonly Holding[]): Promise<void> {
    const found = await settle('look up', (ipam) => ipam.ipsByHandle({ handleId }));
    const addresses = found?.answer.addresses.map(({ address }) => address) ?? [];
    for (const { address } of of) assert.ok(addresses.includes(address), `${handleId} ${address}`);
  }

  async function release(handleId: string, of: readonly Holding[]): Promise<void> {
    const request = performance.now();
    for (const one of of) one.released = request;
    const done = await settle('release', (ipam) => ipam.releaseByHandle({ handleId }), handleId);
    if (done?.attempt !== 1) return;
    for (const { address } of of) {
      assert.ok(done.answer.released.includes(address), `${handleId} had lost ${address}`);
    }
  }

  async function faults(over: AbortSignal): Promise<void> {
    const kinds = [
      async () => fixture.killService(Math.floor(Math.random() * SERVICES), CLOCK, ETCD_SECONDS),
      async () => fixture.pauseEtcd(200 + Math.random() * 1000),
      async () => fixture.pauseEtcd(3500),
      async () => fixture.signalService(Math.floor(Math.random() * SERVICES), 'SIGUSR2'),
      async () => fixture.signalService(Math.floor(Math.random() * SERVICES), 'SIGUSR2'),
      async () => {
        const node = `n${Math.floor(Math.random() * NODES)}`;
        await settle('node gone', (ipam) => ipam.releaseAffinity({ node }));
      },
      async () => {
        await fixture.putPool('history', { ...POOL, disabled: true });
        await systemClock.sleep(100);
        await fixture.putPool('history', POOL);
      },
    ];
    for (let i = 0; !over.aborted; i++) {
      await systemClock.sleep(500 + Math.random() * 1000);
      if (over.aborted) return;
      await kinds[i % kinds.length]?.();
      count(`fault ${i % kinds.length}`);
    }
  }

  async function utilization() {
    const found = await settle('utilization', (ipam) =>
      ipam.getUtilization({ pools: ['history'] }),
    );
    return found?.answer.pools[0];
  }

  test(`${OPERATIONS} operations: no address has two owners, nothing is lost or left over`, async (t) => {
    const over = new AbortController();
    const nemesis = faults(over.signal);
    const start = performance.now();
    await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
    over.abort();
    await nemesis;
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    t.diagnostic(`${operations} operations in ${seconds} s: ${JSON.stringify(counts)}`);
    t.diagnostic(
      `${holdings.length} holdings of ${new Set(holdings.map((h) => h.address)).size} addresses`,
    );
    assert.deepEqual(doubleOwners(holdings), []);
    assert.deepEqual(await fixture.inconsistencies(), []);

    // A request that was given up can still have taken effect, after its handle was released.
    const left = (await utilization())?.blocks.flatMap(({ allocations }) => allocations) ?? [];
    t.diagnostic(`${left.length} addresses assigned late by requests that were given up`);
    for (const { handleId } of left) {
      await settle('release', (ipam) => ipam.releaseByHandle({ handleId }));
    }
    assert.equal((await utilization())?.inUse, 0n);
    assert.deepEqual(await fixture.inconsistencies(), []);
    assert.deepEqual(await fixture.problems(), [], 'a check finds nothing');
  });
});
