// A cluster in which one of three nodes runs stock BIRD instead of our services.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  eventually,
  Lab,
  LineMonitor,
  type ManagedProcess,
  ping,
  Traffic,
  untilQuiet,
} from '../lab/mod.ts';
import { peersHeardBy } from './bgp_log.ts';
import { type BirdVersion, handMadePod, startBird } from './foreign_node.ts';

// BIRD 2 is the end that connects (the largest address), BIRD 1.6 the end that waits (the smallest).
const CASES: readonly (readonly [BirdVersion, string])[] = [
  ['2', 'k8s-node02'],
  ['1.6', 'k8s-master'],
];

for (const [version, foreign] of CASES) {
  test(`BIRD ${version} on ${foreign}: pods reach each other, a restart of either end loses nothing`, async () => {
    const lab = await Lab.start({ mode: 'bgp', foreignNodes: [foreign] });
    let bird: ManagedProcess | undefined;
    try {
      await lab.configure();
      const node = lab.node(foreign);
      bird = await startBird(lab, node, version);
      const said = (): string => bird?.log().slice(-2000) ?? '';
      const address = `${node.block?.replace(/\d+\/26$/, '')}193`;
      const hand = await handMadePod(lab, node, address);
      const pods = [await lab.addPod('ours', 'k8s-node01')];
      const other = lab.topology.nodes.find(
        ({ name }) => name !== foreign && name !== 'k8s-node01',
      );
      if (other !== undefined) pods.push(await lab.addPod('other', other.name));
      for (const pod of pods) {
        await eventually(
          async () => (await ping(pod.netns, address)).received === 1,
          20_000,
          () => `${pod.name} cannot reach ${address}: ${said()}`,
        );
        await eventually(
          async () => (await ping(hand, pod.ip, { count: 3 })).received === 3,
          20_000,
          () => `${address} cannot reach ${pod.name}: ${said()}`,
        );
      }
      const [pod] = pods;
      if (pod === undefined) return;
      const routes = (await lab.exec(foreign, ['ip', 'route'])).stdout;
      assert.match(routes, /10\.244\.85\.192\/26 via 192\.168\.80\.101 dev ens33 proto bird/);

      // Ours restarts: BIRD keeps our routes (RFC 4724), ours keeps the kernel's.
      await untilQuiet([node.namespace, pod.node.namespace]);
      const monitors = await Promise.all([
        LineMonitor.routes(node.namespace),
        LineMonitor.routes(pod.node.namespace),
      ]);
      const traffic = await Traffic.start(hand, pod.ip);
      const bgp = lab.process('bgp', pod.node.name);
      const saidBefore = bird.log().length;
      await bgp.stop('SIGKILL');
      const known = bgp.log().length;
      lab.startProcess(bgp);
      await eventually(
        () => peersHeardBy(bgp.log().slice(known)).size === 2,
        30_000,
        () => `bgp has not heard both peers again: ${bgp.log().slice(known)}${said()}`,
      );
      const { sent, lost } = await traffic.stop();
      const changed = (await Promise.all(monitors.map((monitor) => monitor.stop()))).flat();
      const ends = [node.name, pod.node.name];
      const neighbours = await Promise.all(ends.map((name) => lab.exec(name, ['ip', 'neigh'])));
      const story = [
        ...traffic.gaps(),
        ...changed,
        ...neighbours.map(({ stdout }) => stdout),
        bgp.log().slice(known),
        bird.log().slice(saidBefore),
      ];
      const packets = `${lost.length} of ${sent} packets lost`;
      assert.equal(lost.length, 0, [packets, ...story].join('\n'));
      assert.deepEqual(changed, [], 'no route flaps');
    } finally {
      await bird?.stop();
      await lab.stop();
    }
  });
}
