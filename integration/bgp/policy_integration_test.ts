// Filters through the whole service, towards BIRD, and what the looking glass says about them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { execOk, ROOT } from '../lab/mod.ts';
import { BgpLab } from './bgp_lab.ts';
import { birdConfiguration } from './bird_configuration.ts';

const cannotRun = process.getuid?.() === 0 ? false : 'network namespaces need root';
const OURS = 'k8s-node01';
const BIRD = 'k8s-node02';

test('filters and communities towards BIRD 2, and why', { skip: cannotRun }, async () => {
  const lab = await BgpLab.start({ [OURS]: 101, [BIRD]: 102 });
  const calicoctl = (...args: string[]) =>
    execOk([process.execPath, join(ROOT, 'packages', 'calicoctl', 'main.ts'), ...args], {
      env: { PATH: process.env['PATH'] ?? '', CALICO_RUN_DIR: lab.speaker(OURS).directory },
    });
  try {
    await lab.affinity(OURS, '10.244.1.0/26');
    await lab.affinity(OURS, '10.244.2.0/26');
    await lab.apply('BGPConfiguration', 'default', {
      asNumber: 64512,
      communities: [{ name: 'pods', value: '64512:7' }],
      prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['pods', '64512:1:2'] }],
    });
    await lab.apply('BGPFilter', 'edge', {
      exportV4: [{ action: 'Reject', cidr: '10.244.2.0/24', matchOperator: 'In' }],
      importV4: [{ action: 'Reject', cidr: '10.244.9.0/24', matchOperator: 'In' }],
    });
    await lab.apply('BGPPeer', 'to-bird', {
      node: OURS,
      peerIP: '192.168.80.102',
      asNumber: 64512,
      filters: ['edge'],
    });
    const blocks = ['10.244.8.0/26', '10.244.9.0/26'];
    const [self, peer] = [lab.speaker(BIRD), lab.speaker(OURS)];
    await lab.startBird(BIRD, '2', birdConfiguration('2', self, [peer], { blocks }));
    lab.startBgp(OURS);
    await lab.routesBecome(
      OURS,
      [
        '10.244.8.0/26 via 192.168.80.102 dev ens33',
        'blackhole 10.244.1.0/26',
        'blackhole 10.244.2.0/26',
      ],
      30_000,
    );
    await lab.routesBecome(
      BIRD,
      [
        '10.244.1.0/26 via 192.168.80.101 dev ens33 metric 32',
        'blackhole 10.244.8.0/26 metric 32',
        'blackhole 10.244.9.0/26 metric 32',
      ],
      30_000,
    );
    const shown = await lab.birdc(BIRD, 'show route all 10.244.1.0/26');
    assert.match(shown, /BGP\.community: \(64512,7\)/);
    assert.match(shown, /BGP\.large_community: \(64512, 1, 2\)/);
    assert.match(shown, /BGP\.local_pref: 2147482623/);
    assert.match(await calicoctl('bgp', 'peers'), /192\.168\.80\.102 +k8s-node02 +64512 +Establ/);
    assert.match(
      await calicoctl('bgp', 'peers', '192.168.80.102'),
      /\nMessages in +\d+ OPEN, \d+ UPDATE, \d+ KEEPALIVE\nMessages out +\d+ OPEN, \d+ UPDATE, /,
    );
    assert.match(
      await calicoctl('bgp', 'why', '10.244.9.7'),
      /rejected +192\.168\.80\.102 .*rule 1 of importV4 of BGPFilter "edge"/,
    );
    assert.match(
      await calicoctl('bgp', 'why', '10.244.2.0/26'),
      /192\.168\.80\.102 +no .*rule 1 of exportV4 of BGPFilter "edge"/,
    );
    assert.match(
      await calicoctl('bgp', 'routes', '--table=received', '--peer=192.168.80.102'),
      /\nx +10\.244\.9\.0\/26/,
    );
    await lab.apply('BGPFilter', 'edge', {});
    await lab.routesBecome(OURS, [
      '10.244.8.0/26 via 192.168.80.102 dev ens33',
      '10.244.9.0/26 via 192.168.80.102 dev ens33',
      'blackhole 10.244.1.0/26',
      'blackhole 10.244.2.0/26',
    ]);
  } finally {
    await lab.stop();
  }
});
