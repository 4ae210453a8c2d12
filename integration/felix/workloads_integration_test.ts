// ADD, CHECK, DEL and GC on a real kernel with real services, through crashes, damage and outages.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADD_STEPS, REMOVE_STEPS } from '../../services/felix/core/steps.ts';
import { ownershipHistory } from '../ipam/ownership.ts';
import { changesOf, eventually, monitorsOf, Traffic, untilQuiet } from '../lab/mod.ts';
import { codeOf, FelixFixture, failureOf, NETWORK, type PodSpec, SKIP } from './fixture.ts';

describe('felix on one node', { skip: SKIP }, () => {
  let lab: FelixFixture;

  before(async () => {
    lab = await FelixFixture.start();
  });
  after(async () => {
    await lab?.stop();
  });

  async function withPod(
    name: string,
    work: (pod: PodSpec, host: string, address: string) => Promise<void>,
  ): Promise<void> {
    const pod = await lab.pod(name);
    const { hostInterface, addresses } = await lab.felix.addWorkload(pod);
    try {
      await work(pod, hostInterface, addressOf(addresses));
    } finally {
      await lab.felix.removeWorkload(pod);
    }
  }

  test('ADD sets the pod up as the walk-through shows it, DEL leaves nothing', async () => {
    await withPod('busybox-deploy-5c8bbcc5f7-ddmm9', async (pod, host, address) => {
      assert.equal(host, 'cali918b33f2bbe');
      const routes = (await lab.inPod(pod, 'ip', 'route'))
        .trim()
        .split('\n')
        .map((l) => l.trim());
      assert.deepEqual(routes, [
        'default via 169.254.1.1 dev eth0',
        '169.254.1.1 dev eth0 scope link',
      ]);
      assert.match(
        await lab.inPod(pod, 'ip', '-o', 'addr', 'show', 'dev', 'eth0'),
        new RegExp(`inet ${address}/32 scope global eth0`),
      );
      const onHost = await lab.onNode('ip', 'route', 'show', 'dev', host);
      assert.equal(onHost.trim(), `${address} scope link`);
      assert(await lab.reaches(address));
      assert.equal(await codeOf(lab.felix.checkWorkload(pod)), 'OK');
      const { resource } = await lab.api.get({
        key: {
          kind: 'WorkloadEndpoint',
          namespace: 'default',
          name: 'k8s--master-k8s-busybox--deploy--5c8bbcc5f7--ddmm9-eth0',
        },
      });
      const { spec } = JSON.parse(resource?.json ?? '{}') as { spec: Record<string, unknown> };
      assert.deepEqual(spec['ipNetworks'], [`${address}/32`]);
      assert.deepEqual(spec['profiles'], ['kns.default']);
    });
    await lab.settled();
  });

  test('the same ADD twice answers the same', async () => {
    await withPod('twice', async (pod) => {
      const again = await lab.felix.addWorkload(pod);
      assert.deepEqual(await lab.felix.addWorkload(pod), again);
    });
    await lab.settled();
  });

  for (const step of ADD_STEPS) {
    test(`killed at ${step}: ADD again succeeds, DEL leaves nothing`, async () => {
      await lab.restartFelix({ CALICO_FELIX_CRASH_AT: step });
      const pod = await lab.pod(step.replace(':', '-'));
      assert.equal(await codeOf(lab.felix.addWorkload(pod)), 'UNAVAILABLE');
      await lab.process('felix').ended;
      await lab.restartFelix();
      const { addresses } = await lab.felix.addWorkload(pod);
      assert(await lab.reaches(addressOf(addresses)));
      await lab.felix.checkWorkload(pod);
      await lab.felix.removeWorkload(pod);
      await lab.settled();
    });
  }

  for (const step of REMOVE_STEPS) {
    test(`killed at ${step}: DEL again succeeds and leaves nothing`, async () => {
      await lab.restartFelix({ CALICO_FELIX_CRASH_AT: step });
      const pod = await lab.pod(step.replace(':', '-'));
      await lab.felix.addWorkload(pod);
      assert.equal(await codeOf(lab.felix.removeWorkload(pod)), 'UNAVAILABLE');
      await lab.process('felix').ended;
      await lab.restartFelix();
      await lab.felix.removeWorkload(pod);
      await lab.settled();
    });
  }

  test('CHECK names every kind of damage', async () => {
    const damages: readonly [
      (pod: PodSpec, host: string, address: string) => Promise<unknown>,
      RegExp,
    ][] = [
      [(pod) => lab.inPod(pod, 'ip', 'route', 'del', 'default'), /default route/],
      [(pod) => lab.inPod(pod, 'ip', 'neigh', 'del', '169.254.1.1', 'dev', 'eth0'), /neighbour/],
      [
        (pod, _, address) => lab.inPod(pod, 'ip', 'addr', 'del', `${address}/32`, 'dev', 'eth0'),
        /address "10\..*" is missing/,
      ],
      [(pod) => lab.inPod(pod, 'ip', 'link', 'set', 'eth0', 'mtu', '1400'), /MTU 1400/],
      [(pod) => lab.inPod(pod, 'ip', 'link', 'set', 'eth0', 'down'), /"eth0" is down/],
      [
        (pod) => lab.inPod(pod, 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:01'),
        /MAC 02:00:00:00:00:01/,
      ],
      [(_, host) => lab.onNode('ip', 'link', 'set', host, 'mtu', '1300'), /MTU 1300/],
    ];
    let number = 0;
    for (const [damage, expected] of damages) {
      await withPod(`damage${number++}`, async (pod, host, address) => {
        await damage(pod, host, address);
        const failure = await failureOf(lab.felix.checkWorkload(pod));
        assert.equal(failure.code, 'DATA_LOSS');
        assert.match(failure.message, expected);
        // The same ADD puts it right.
        await lab.felix.addWorkload(pod);
        assert.equal(await codeOf(lab.felix.checkWorkload(pod)), 'OK');
      });
    }
    const unknown = await failureOf(lab.felix.checkWorkload(await lab.pod('never-added')));
    assert.equal(unknown.code, 'NOT_FOUND');
  });

  test('what someone deletes on the host is back soon', async () => {
    await withPod('tampered', async (pod, host, address) => {
      const repaired = (): Promise<void> =>
        eventually(
          async () =>
            (await codeOf(lab.felix.checkWorkload(pod))) === 'OK' && (await lab.reaches(address)),
          5_000,
          () => 'not repaired',
        );
      await lab.onNode('ip', 'route', 'del', `${address}/32`);
      await repaired();
      await lab.onNode('ip', 'link', 'set', host, 'down');
      await repaired();
      await lab.onNode('ip', 'link', 'del', host);
      await repaired();
      for (const what of [`route ${address}/32 dev ${host}`, `device ${host} had been removed`]) {
        await eventually(
          () => lab.process('felix').log().includes(`repaired: ${what}`),
          5_000,
          () => `felix has not said that it repaired ${what}`,
        );
      }
    });
    await lab.settled();
  });

  test('GC removes what nobody claims', async () => {
    const [kept, dropped] = [await lab.pod('kept'), await lab.pod('dropped')];
    await lab.felix.addWorkload(kept);
    await lab.felix.addWorkload(dropped);
    const { containerId, interfaceName } = kept;
    const { removed } = await lab.felix.collectGarbage({
      network: NETWORK,
      validAttachments: [{ containerId, interfaceName }],
    });
    assert.deepEqual(
      removed.map((attachment) => attachment.containerId),
      [dropped.containerId],
    );
    assert.equal(await codeOf(lab.felix.checkWorkload(kept)), 'OK');
    await lab.felix.collectGarbage({ network: NETWORK });
    await lab.settled();
  });

  test('kill -9 and restart change nothing in the kernel and lose no packet', async () => {
    await withPod('restarted', async (_pod, _host, address) => {
      await untilQuiet([lab.node.namespace]);
      const monitors = await monitorsOf([lab.node.namespace]);
      const traffic = await Traffic.start(lab.node.namespace, address);
      await lab.restartFelix();
      const { sent, lost } = await traffic.stop();
      assert.deepEqual(lost, [], `packets lost, of ${sent}`);
      assert.deepEqual(await changesOf(monitors), []);
    });
  });

  test('while ipam or etcd is away ADD fails and leaves nothing, DEL succeeds and finishes later', async () => {
    const stays = await lab.pod('stays');
    const address = addressOf((await lab.felix.addWorkload(stays)).addresses);
    for (const service of ['ipam', 'etcd']) {
      await lab.process(service).stop('SIGKILL');
      const pod = await lab.pod(`without-${service}`);
      const failure = await failureOf(lab.felix.addWorkload(pod));
      assert.equal(failure.code, 'UNAVAILABLE', failure.message);
      const links = await lab.onNode('ip', '-o', 'link');
      assert.equal([...links.matchAll(/cali[0-9a-f]{11}@/g)].length, 1, links);
      assert(await lab.reaches(address));
      lab.process(service).start();
      await lab.ready();
    }
    await lab.process('etcd').stop('SIGKILL');
    await lab.felix.removeWorkload(stays);
    assert.doesNotMatch(await lab.onNode('ip', '-o', 'link'), /cali[0-9a-f]{11}@/);
    lab.process('etcd').start();
    await lab.ready();
    await lab.settled(20_000);
  });

  test('bad requests are refused by name and change nothing', async () => {
    const good = await lab.pod('good');
    const refusals: readonly [Partial<PodSpec> & Record<string, unknown>, string, RegExp][] = [
      [{ containerId: '' }, 'INVALID_ARGUMENT', /container_id ""/],
      [{ containerId: '../x' }, 'INVALID_ARGUMENT', /container_id "\.\.\/x"/],
      [{ interfaceName: 'a/b' }, 'INVALID_ARGUMENT', /interface_name "a\/b"/],
      [{ netns: 'relative' }, 'INVALID_ARGUMENT', /netns "relative"/],
      [
        { netns: '/run/netns/none' },
        'FAILED_PRECONDITION',
        /"\/run\/netns\/none": it does not exist/,
      ],
      [{ netns: '/etc/passwd' }, 'FAILED_PRECONDITION', /"\/etc\/passwd": it is not a network/],
      [{ network: '' }, 'INVALID_ARGUMENT', /network ""/],
      [{ pod: 'Not A Name' }, 'INVALID_ARGUMENT', /pod "Not A Name"/],
      [{ mtu: 12 }, 'INVALID_ARGUMENT', /mtu "12"/],
      [{ requestedAddresses: ['10.0.0.300'] }, 'INVALID_ARGUMENT', /requested_addresses/],
      [{ requestedAddresses: ['172.31.0.1'] }, 'INVALID_ARGUMENT', /172\.31\.0\.1/],
      [{ ipv4Pools: ['no-such-pool'] }, 'INVALID_ARGUMENT', /no-such-pool/],
    ];
    for (const [change, code, pattern] of refusals) {
      const failure = await failureOf(lab.felix.addWorkload({ ...good, ...change }));
      assert.equal(failure.code, code, `${JSON.stringify(change)}: ${failure.message}`);
      assert.match(failure.message, pattern);
    }
    await lab.settled();
  });

  test('a taken interface name and a duplicate container are refused', async () => {
    await withPod('owner', async (owner) => {
      const other = await lab.pod('other');
      const moved = await failureOf(lab.felix.addWorkload({ ...owner, pod: 'changed' }));
      assert.match(moved.message, /exists with pod "owner" instead of "changed"/);
      const samePod = await failureOf(lab.felix.addWorkload({ ...other, pod: 'owner' }));
      assert.match(samePod.message, /belongs to "eth0" of container "owner-container"/);
      await lab.inPod(other, 'ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'x');
      const taken = await failureOf(lab.felix.addWorkload(other));
      assert.equal(taken.code, 'FAILED_PRECONDITION');
      assert.match(taken.message, /"eth0" .* the name is taken there/);
      assert.equal(await codeOf(lab.felix.checkWorkload(owner)), 'OK');
    });
    await lab.settled();
  });

  test('through all of this every assigned address had an owner, and every endpoint its address', async () => {
    const history = await ownershipHistory(lab.topology.control);
    assert.deepEqual(history.faults, []);
    assert.ok(history.looked > 30, JSON.stringify(history));
  });
});

function addressOf(addresses: readonly string[]): string {
  return addresses[0]?.split('/')[0] ?? '';
}
