// `calicoctl ipam check`, its report and the repair, on a real etcd that holds what other writers left
// behind. About 5 s.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runCalicoctl } from '@calico/calicoctl';
import { type Ipam, IpamFixture, SKIP } from './fixture.ts';

describe('ipam check on a real etcd', { skip: SKIP }, () => {
  let fixture: IpamFixture;
  let ipam: Ipam;

  before(async () => {
    fixture = await IpamFixture.start();
    await fixture.putPool('p', { cidr: '10.30.0.0/24', blockSize: 28 });
    await fixture.putNode('n1');
    ipam = await fixture.startService();
  });

  after(async () => {
    await fixture?.stop();
  });

  async function calicoctl(...args: string[]): Promise<string> {
    let text = '';
    const say = (more: string): void => {
      text += more;
    };
    const code = await runCalicoctl(args, {
      out: say,
      err: say,
      readInput: async () => '',
      environment: { CALICO_IPAM_ADDRESS: fixture.target(0) },
      now: Date.now,
      elapsedMs: () => performance.now(),
    });
    assert.equal(code, 0, text);
    return text;
  }

  async function assign(handleId: string, node: string, pod: string): Promise<string> {
    const attributes = { node, pod, namespace: 'default' };
    const { addresses } = await ipam.autoAssign({ node, handleId, ipv4Count: 1, attributes });
    return addresses[0]?.address ?? '';
  }

  test('problems of every origin are reported, repaired from the report, and gone', async () => {
    const used = await assign('net.used', 'n1', 'used');
    const leaked = await assign('net.leaked', 'n1', 'leaked');
    await assign('net.orphan', 'gone', 'orphan');
    await fixture.putResource('WorkloadEndpoint', 'workloadendpoints/default/n1-k8s-used-eth0', {
      node: 'n1',
      pod: 'used',
      ipNetworks: [`${used}/32`],
    });
    await fixture.put('/calico/ipam/v2/handle/net.lost', '{"block":{"10.30.0.0/28":1}}');
    await fixture.put('/calico/ipam/v2/host/n1/ipv4/block/10.30.0.240-28', '{"state":"pending"}');
    const report = join(fixture.directory, 'report.json');

    const check = await calicoctl('ipam', 'check', '--show-problem-ips', '-o', report);
    assert.match(check, /Found 2 IPs that are allocated in IPAM but not actually in use\./);
    assert.match(check, new RegExp(`  ${leaked} leaked: assigned to handle "net.leaked"`));
    assert.match(check, /Found 1 handles with no matching IPs \(and 3 handles with matches\)\./);
    assert.match(check, /Check complete; found 5 problems\.\n$/);

    // Its pod is written just now: it is no leak any more.
    await fixture.putResource('WorkloadEndpoint', 'workloadendpoints/default/n1-k8s-leaked-eth0', {
      node: 'n1',
      pod: 'leaked',
      ipNetworks: [`${leaked}/32`],
    });
    const release = await calicoctl('ipam', 'release', '--force', `--from-report=${report}`);
    assert.match(release, new RegExp(`Skipped ${leaked}: it is not leaked any more`));
    assert.match(release, /Released 1 IPs successfully\nReleased 1 handles; 0 skipped; 0 errors\./);
    assert.match(release, /Corrected 2 records; 0 skipped\./);
    assert.deepEqual(await fixture.problems(), []);
    assert.match(await calicoctl('ipam', 'check'), /Check complete; found 0 problems\.\n$/);
    assert.equal((await ipam.ipsByHandle({ handleId: 'net.used' })).addresses[0]?.address, used);
  });

  test('a pool in use is split at one instant; a migration is planned', async () => {
    await calicoctl('ipam', 'split', '4', '--name=p');
    assert.deepEqual(await fixture.problems(), []);
    const { pools } = await ipam.getUtilization({});
    assert.deepEqual(
      pools.map(({ name, cidr }) => `${name} ${cidr}`),
      [
        'split-p-0 10.30.0.0/26',
        'split-p-1 10.30.0.64/26',
        'split-p-2 10.30.0.128/26',
        'split-p-3 10.30.0.192/26',
      ],
    );
    const [old] = pools.filter(({ inUse }) => inUse > 0n);
    const target = pools.find(({ inUse }) => inUse === 0n);
    const plan = await calicoctl(
      'ipam',
      'migrate',
      `--from-pool=${old?.name}`,
      `--to-pool=${target?.cidr}`,
      '--dry-run',
    );
    assert.match(plan, /n1 +\| default\/(used|leaked) /);
    assert.match(plan, /64 free in IP pool split-p-.\.\nNothing was changed\.\n$/);
  });
});
