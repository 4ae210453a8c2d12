import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '@calico/clock';
import { RpcError } from '@calico/rpc';
import { type Ipam, IpamFixture, SKIP, waitUntil } from './fixture.ts';

describe('ipam on a real etcd', { skip: SKIP }, () => {
  let fixture: IpamFixture;
  let first: Ipam;
  let second: Ipam;

  before(async () => {
    fixture = await IpamFixture.start();
    first = await fixture.startService();
    second = await fixture.startService();
  });

  after(async () => {
    await fixture?.stop();
  });

  async function inUse(pool: string): Promise<number> {
    const { pools } = await first.getUtilization({ pools: [pool] });
    return Number(pools[0]?.inUse ?? -1);
  }

  test('clients of two processes assign and release at once: no address twice, counts exact', async () => {
    await fixture.putPool('busy', { cidr: '10.10.0.0/23', blockSize: 28 });
    const wanted = 300;
    const answers = await Promise.all(
      Array.from({ length: wanted }, (_, i) =>
        (i % 2 === 0 ? first : second).autoAssign({
          node: `n${i % 5}`,
          handleId: `net.c${i}`,
          ipv4Count: 1,
          ipv4Pools: ['busy'],
          attributes: { pod: `p${i}`, node: `n${i % 5}` },
        }),
      ),
    );
    const addresses = answers.flatMap((one) => one.addresses.map(({ address }) => address));
    assert.equal(new Set(addresses).size, wanted);
    assert.equal(await inUse('busy'), wanted);
    assert.deepEqual(await fixture.inconsistencies(), []);
    await Promise.all(
      addresses.map((_, i) =>
        (i % 2 === 0 ? second : first).releaseByHandle({ handleId: `net.c${i}` }),
      ),
    );
    assert.equal(await inUse('busy'), 0);
    assert.deepEqual(await fixture.inconsistencies(), []);
  });

  test('both families, utilisation and affinities over the wire', async () => {
    await fixture.putPool('six', { cidr: 'fd00:10:244::/64' });
    const { addresses } = await first.autoAssign({
      node: 'dual',
      handleId: 'net.dual',
      ipv4Count: 1,
      ipv6Count: 1,
    });
    assert.equal(addresses.length, 2);
    const address = addresses[1]?.address ?? '';
    const found = await second.getAssignment({ address });
    assert.deepEqual([found.assigned, found.handleId], [true, 'net.dual']);
    const { released } = await second.releaseByHandle({ handleId: 'net.dual' });
    assert.equal(released.length, 2);
    const affinities = await second.releaseAffinity({ node: 'dual', mustBeEmpty: true });
    assert.equal(affinities.released.length, 2);
    assert.deepEqual(await fixture.inconsistencies(), []);
  });

  test('etcd away: UNAVAILABLE and nothing half done; back: goes on without a restart', async () => {
    await fixture.putPool('outage', { cidr: '10.20.0.0/24', blockSize: 28 });
    const assigned = new Set<string>();
    const failures: RpcError[] = [];
    const over = new AbortController();
    const client = async (number: number): Promise<void> => {
      for (let i = 0; !over.signal.aborted; i++) {
        const handleId = `net.${number}-${i % 10}`;
        try {
          const { addresses } = await (number % 2 === 0 ? first : second).autoAssign({
            node: `o${number}`,
            handleId,
            ipv4Count: 1,
            ipv4Pools: ['outage'],
          });
          assigned.add(`${handleId} ${addresses[0]?.address}`);
          if (i % 3 === 0) {
            await first.releaseByHandle({ handleId });
            assigned.delete(`${handleId} ${addresses[0]?.address}`);
          }
        } catch (error) {
          assert.ok(error instanceof RpcError, String(error));
          failures.push(error);
          await systemClock.sleep(20);
        }
      }
    };
    const clients = Array.from({ length: 6 }, (_, number) => client(number));
    await systemClock.sleep(500);
    await fixture.stopEtcd();
    await waitUntil('clients are refused', async () => failures.length > 20);
    await fixture.startEtcd();
    const { length } = failures;
    await waitUntil('clients are served', async () => {
      const size = assigned.size;
      await systemClock.sleep(300);
      return assigned.size !== size || failures.length === length;
    });
    over.abort();
    await Promise.all(clients);

    const codes = new Set(failures.map(({ code }) => code));
    assert.ok(codes.has('UNAVAILABLE'), [...codes].join());
    for (const code of codes) assert.ok(['UNAVAILABLE', 'ABORTED'].includes(code), code);
    assert.ok(failures.every(({ message }) => message !== ''));
    assert.deepEqual(await fixture.inconsistencies(), []);

    // A call whose answer was lost holds at most one address, and its repetition finds it.
    for (let number = 0; number < 6; number++) {
      for (let i = 0; i < 10; i++) {
        const handleId = `net.${number}-${i}`;
        const { addresses } = await first.ipsByHandle({ handleId });
        assert.ok(addresses.length <= 1, handleId);
        await second.releaseByHandle({ handleId });
      }
    }
    assert.equal(await inUse('outage'), 0);
    assert.deepEqual(await fixture.inconsistencies(), []);
  });
});
