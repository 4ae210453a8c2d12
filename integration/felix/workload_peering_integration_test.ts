// A router in a pod peers with its node by BGP, at the address that felix puts on the host end of its pair.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, ManagedProcess } from '../lab/mod.ts';
import { FelixFixture, type PodSpec, SKIP } from './fixture.ts';

const PEERING = '169.254.0.179';
const MESH = { asNumber: 64512, nodeToNodeMeshEnabled: false, bindMode: 'NodeIP' };

describe('a pod as a BGP peer of its node', { skip: SKIP }, () => {
  let lab: FelixFixture;
  let bird: ManagedProcess | undefined;

  before(async () => {
    lab = await FelixFixture.start({}, { withBgp: true });
  });
  after(async () => {
    await bird?.stop('SIGKILL');
    await lab?.stop();
  });

  async function nodeShows(
    command: readonly string[],
    isAsWanted: (text: string) => boolean,
  ): Promise<void> {
    let text = '';
    await eventually(
      async () => {
        text = await lab.onNode(...command);
        return isAsWanted(text);
      },
      10_000,
      () =>
        [command.join(' '), text, ...['felix', 'bgp'].map((name) => lab.process(name).log())]
          .concat(bird?.log() ?? '')
          .map((part) => part.slice(-2_000))
          .join('\n'),
    );
  }

  test('peers at localWorkloadPeeringIPV4, which goes with the field', async () => {
    await lab.apply('BGPConfiguration', 'default', { ...MESH, localWorkloadPeeringIPV4: PEERING });
    await lab.apply('FelixConfiguration', 'default', { defaultEndpointToHostAction: 'Accept' });
    await lab.apply('Profile', 'kns.default', { egress: [{ action: 'Allow' }] });
    const pod = await lab.pod('router');
    const { hostInterface, addresses } = await lab.felix.addWorkload({
      ...pod,
      labels: { app: 'router' },
    });
    const own = addresses[0]?.replace(/\/.*/, '') ?? '';
    const shown = ['ip', '-4', '-o', 'address', 'show', 'dev', hostInterface];
    assert.equal(await lab.onNode(...shown), '');
    await lab.apply('BGPPeer', 'routers', {
      localWorkloadSelector: 'app == "router"',
      asNumber: 65010,
    });
    await nodeShows(shown, (text) => text.includes(`inet ${PEERING}/32`));
    bird = startBird(lab, pod, own);
    await nodeShows(['ip', 'route', 'show', '203.0.113.0/24'], (text) =>
      text.includes(`via ${own} dev ${hostInterface} proto bird`),
    );
    // The node's own packets to the pod come from the node's address all the same.
    assert.match(await lab.onNode('ip', 'route', 'get', own), new RegExp(lab.node.address));

    await lab.onNode('ip', 'address', 'del', `${PEERING}/32`, 'dev', hostInterface);
    await nodeShows(shown, (text) => text.includes(`inet ${PEERING}/32`));

    await lab.apply('BGPConfiguration', 'default', MESH);
    await nodeShows(shown, (text) => text === '');
    await nodeShows(['ip', 'route', 'show', '203.0.113.0/24'], (text) => text === '');
    await lab.felix.removeWorkload(pod);
  });
});

function startBird(lab: FelixFixture, pod: PodSpec, address: string): ManagedProcess {
  const file = join(lab.directory, 'router.conf');
  writeFileSync(
    file,
    `router id ${address};
log stderr all;
protocol device { scan time 2; }
protocol static { ipv4; route 203.0.113.0/24 blackhole; }
protocol bgp node {
  local ${address} as 65010; neighbor ${PEERING} as 64512; multihop;
  connect delay time 1; connect retry time 1; error wait time 1,1;
  ipv4 { import all; export all; };
}
`,
  );
  const bird = new ManagedProcess({
    service: 'bird',
    node: 'router',
    namespace: pod.netns.replace('/run/netns/', ''),
    command: ['/usr/sbin/bird', '-f', '-c', file, '-s', join(lab.directory, 'router.ctl')],
    env: {},
    logFile: join(lab.directory, 'router.log'),
    detached: false,
  });
  bird.start();
  return bird;
}
