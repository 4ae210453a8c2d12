// `calicoctl datastore migrate`: resources, blocks and addresses of one etcd into another. About 10 s.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runCalicoctl } from '@calico/calicoctl';
import { type ApiProcess, startApi, untilReady } from '../api/api_process.ts';
import { type Ipam, IpamFixture, SKIP } from './fixture.ts';

class Cluster {
  readonly fixture: IpamFixture;
  readonly api: ApiProcess;
  readonly ipam: Ipam;

  constructor(fixture: IpamFixture, api: ApiProcess, ipam: Ipam) {
    this.fixture = fixture;
    this.api = api;
    this.ipam = ipam;
  }

  static async start(): Promise<Cluster> {
    const fixture = await IpamFixture.start();
    const api = await startApi(fixture.endpoint);
    await untilReady(api);
    return new Cluster(fixture, api, await fixture.startService());
  }

  async calicoctl(words: string, input = ''): Promise<string> {
    let text = '';
    const say = (more: string): void => {
      text += more;
    };
    const code = await runCalicoctl(words.split(' '), {
      out: say,
      err: say,
      readInput: async () => input,
      environment: {
        CALICO_API_ADDRESS: this.api.address,
        CALICO_IPAM_ADDRESS: this.fixture.target(0),
      },
      now: Date.now,
      elapsedMs: () => performance.now(),
    });
    assert.equal(code, 0, text);
    return text;
  }

  async stop(): Promise<void> {
    await this.api.stop();
    await this.fixture.stop();
  }
}

const RESOURCES = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p}
spec: {cidr: 10.30.0.0/24, blockSize: 28}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: retired}
spec: {cidr: 10.31.0.0/24, blockSize: 28}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
spec: {bgp: {ipv4Address: 192.0.2.1/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n2}
spec: {bgp: {ipv4Address: 192.0.2.2/24}}
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: own}
spec: {order: 5}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: own.closed, namespace: shop}
spec: {tier: own, selector: all()}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: n1-k8s-a-eth0, namespace: shop}
spec: {node: n1, orchestrator: k8s, pod: a, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.30.0.5/32]}
`;

/** What would refuse some of the assignments that were made before. */
const LATER = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: retired}
spec: {cidr: 10.31.0.0/24, blockSize: 28, disabled: true}
---
apiVersion: projectcalico.org/v3
kind: IPAMConfiguration
metadata: {name: default}
spec: {strictAffinity: true, maxBlocksPerHost: 4}
`;

describe('datastore migrate', { skip: SKIP }, () => {
  let old: Cluster;
  let next: Cluster;

  before(async () => {
    old = await Cluster.start();
    next = await Cluster.start();
  });

  after(async () => {
    await old?.stop();
    await next?.stop();
  });

  test('the new datastore says what the old one said, and IPAM of it is consistent', async () => {
    await old.calicoctl('apply -f -', RESOURCES);
    const { ipam } = old;
    const assign = (node: string, address: string, handleId: string) =>
      ipam.assignIp({ node, address, handleId, attributes: { node, pod: handleId } });
    await ipam.claimAffinity({ cidr: '10.30.0.0/28', node: 'n1' });
    await ipam.claimAffinity({ cidr: '10.30.0.16/28', node: 'n2' });
    await assign('n1', '10.30.0.5', 'a');
    await assign('n2', '10.30.0.6', 'borrows');
    await assign('n1', '10.31.0.1', 'old');
    await old.calicoctl('apply -f -', LATER);
    await old.calicoctl('datastore migrate lock');
    const text = await old.calicoctl('datastore migrate export');
    await next.calicoctl('datastore migrate lock');
    const said = 'Successfully imported 11 resource(s), 3 block(s) with 3 address(es)\n';
    assert.equal(await next.calicoctl('datastore migrate import -f -', text), said);
    // Whoever was interrupted begins again.
    assert.equal(await next.calicoctl('datastore migrate import -f -', text), said);
    for (const question of [
      'get ippools -o wide',
      'ipam show --show-configuration',
      'get np -A -o wide',
      'get wep -A -o wide',
      'get affinities -o wide',
      'ipam show --show-blocks',
      'ipam show --show-borrowed',
      'ipam show --ip=10.30.0.6',
    ]) {
      assert.equal(await next.calicoctl(question), await old.calicoctl(question), question);
    }
    assert.deepEqual(await next.fixture.problems(), await old.fixture.problems());
    assert.equal(await next.calicoctl('datastore migrate unlock'), 'Datastore unlocked.\n');
  });
});
