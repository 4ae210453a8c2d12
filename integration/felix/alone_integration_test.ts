// Felix without the services that it depends on, what it reports of itself, and IPv6.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EndpointState } from '@calico/proto/events/v1/events';
import { changesOf, eventually, exec, inNamespace, monitorsOf, untilQuiet } from '../lab/mod.ts';
import { codeOf, FelixFixture, NETWORK, SKIP } from './fixture.ts';

const CONTROL = ['nats', 'api', 'ipam', 'etcd'];

describe('felix left alone', { skip: SKIP }, () => {
  let lab: FelixFixture;

  before(async () => {
    lab = await FelixFixture.start();
  });
  after(async () => {
    await lab?.stop();
  });

  test('a packet filter that someone deletes or changes is back soon', async () => {
    const pod = await lab.pod('filtered');
    const { hostInterface } = await lab.felix.addWorkload(pod);
    const original = await lab.onNode('nft', 'list', 'table', 'inet', 'calico');
    for (const damage of [
      ['nft', 'delete', 'table', 'inet', 'calico'],
      ['nft', 'flush', 'table', 'inet', 'calico'],
      ['nft', 'add', 'chain', 'inet', 'calico', 'intruder'],
    ]) {
      await lab.onNode(...damage);
      let now = '';
      await eventually(
        async () => {
          const listed = await exec(
            inNamespace(lab.node.namespace, ['nft', 'list', 'table', 'inet', 'calico']),
          );
          now = listed.stdout;
          return now.includes(hostInterface) && !now.includes('intruder');
        },
        5_000,
        () => `not back after ${damage.join(' ')}:\n${now}`,
      );
    }
    const restored = await lab.onNode('nft', 'list', 'table', 'inet', 'calico');
    assert.deepEqual(sortedLines(restored), sortedLines(original));
    await lab.felix.removeWorkload(pod);
  });

  test('it reports what is applied, its endpoints and its health', async () => {
    const pod = await lab.pod('reported');
    const { addresses } = await lab.felix.addWorkload(pod);
    const revision = await lab.apply('GlobalNetworkSet', 'set', { nets: ['10.1.0.0/16'] });
    const node = lab.node.name;
    await eventually(
      async () => {
        const { nodes } = await lab.status.listNodes({});
        const own = nodes.find((status) => status.node === node);
        const applied = own?.applied.find(({ component }) => component === 'felix');
        return applied !== undefined && applied.inSync && applied.revision >= revision;
      },
      10_000,
      () => 'the revision is not reported as applied',
    );
    const endpointState = async (): Promise<string> => {
      const { nodes } = await lab.status.listEndpoints({ node });
      const found = nodes[0]?.endpoints.find((endpoint) => endpoint.pod === 'reported');
      return found === undefined ? 'none' : `${found.state} ${found.addresses.join()}`;
    };
    const address = addresses[0]?.split('/')[0] ?? '';
    await eventually(
      async () => (await endpointState()) === `${EndpointState.UP} ${address}`,
      10_000,
      () => 'the endpoint is not reported as up',
    );
    await lab.onNode('ip', 'route', 'del', address);
    await eventually(
      async () => {
        const { nodes } = await lab.status.listNodes({});
        const health = nodes
          .find((status) => status.node === node)
          ?.health.find(({ component }) => component === 'felix');
        return (
          health?.messages.some((text) => text.includes(`repaired: route ${address}`)) ?? false
        );
      },
      10_000,
      () => 'the repair is not reported',
    );
    await lab.felix.removeWorkload(pod);
    await eventually(
      async () => (await endpointState()) === 'none',
      10_000,
      () => 'the endpoint is still reported',
    );
  });

  test('a pod has IPv6 when asked for it', async () => {
    await lab.apply('IPPool', 'six', { cidr: 'fd00:10:244::/64' });
    const pod = await lab.pod('six');
    const { addresses, routes } = await lab.felix.addWorkload({ ...pod, assignIpv6: true });
    assert.deepEqual(
      addresses.map((address) => address.split('/')[1]),
      ['32', '128'],
    );
    assert.deepEqual(
      routes.map(({ destination }) => destination),
      ['169.254.1.1/32', '0.0.0.0/0', '::/0'],
    );
    const six = addresses[1]?.split('/')[0] ?? '';
    await eventually(
      () => lab.reaches(six),
      10_000,
      () => `no answer from ${six}`,
    );
    await lab.felix.checkWorkload(pod);
    await lab.felix.removeWorkload(pod);
    assert.doesNotMatch(await lab.onNode('ip', '-6', 'route'), /fd00:10:244/);
  });

  test('with everything else stopped it restarts, keeps the kernel and the pods, and catches up', async () => {
    const [stays, goes] = [await lab.pod('stays'), await lab.pod('goes')];
    const { addresses } = await lab.felix.addWorkload(stays);
    await lab.felix.addWorkload(goes);
    const address = addresses[0]?.split('/')[0] ?? '';
    for (const service of CONTROL) await lab.process(service).stop('SIGKILL');
    await untilQuiet([lab.node.namespace]);
    const monitors = await monitorsOf([lab.node.namespace]);
    await lab.process('felix').stop('SIGKILL');
    lab.process('felix').start();
    await eventually(
      async () => (await codeOf(lab.felix.getNodeInfo({}))) === 'OK',
      30_000,
      () => `felix does not answer: ${lab.process('felix').log().slice(-2_000)}`,
    );
    const { inSync, workloads } = await lab.felix.getNodeInfo({});
    assert.deepEqual([inSync, workloads], [false, 2]);
    assert.equal(await codeOf(lab.felix.addWorkload(await lab.pod('late'))), 'UNAVAILABLE');
    assert(await lab.reaches(address));
    assert.deepEqual(await changesOf(monitors), []);
    await lab.felix.removeWorkload(goes);
    assert.equal(await codeOf(lab.felix.checkWorkload(stays)), 'OK');
    for (const service of CONTROL.toReversed()) lab.process(service).start();
    await lab.ready();
    await lab.felix.addWorkload(await lab.pod('late2'));
    await lab.felix.checkWorkload(stays);
    await lab.felix.collectGarbage({ network: NETWORK });
    await lab.settled(20_000);
  });
});

/** Without counters, which differ anyhow, and without order, which a new table may change. */
function sortedLines(text: string): string[] {
  return text
    .replace(/packets \d+ bytes \d+/g, '')
    .split('\n')
    .toSorted();
}
