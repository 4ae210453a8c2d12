// A node with a peer at the far end of a link, whose process starts anew: the far end has not been
// heard of yet.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Capability, DEFAULT_CONTEXT, decodeMessage, MessageFramer } from '@calico/bgp-wire';
import { type Address, parseAddress, parsePrefix } from '@calico/ip';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const LINK = 'eth1';
const INDEX = 3;
const ASN = 65_000;
const FAR_END = parseAddress('fe80::7');
const ROUTE = '10.244.7.0/26';

/** A node that has been restarted, with a route of the process before. */
class Restart {
  readonly cluster = new SimulatedCluster(5);
  /** What the node has said to the far end. */
  readonly heard: Uint8Array[] = [];
  /** Links that the node has asked about, again and again. */
  readonly asked: string[] = [];
  #farEnd: Address | undefined;

  constructor(...others: readonly string[]) {
    const { cluster } = this;
    cluster.linksOf = () => ({
      configure: (interfaces) => void this.asked.push(interfaces.join()),
      neighbourOn: () => this.#farEnd,
      problems: [],
    });
    cluster.resources = [
      bgpConfiguration({ asNumber: 64_512 }),
      pool('10.244.0.0/16'),
      bgpPeer('leaf', { node: 'a', peerInterface: LINK, asNumber: ASN }),
      ...['a', ...others].flatMap((name, index) => [
        node(name, `192.168.80.10${index}/24`),
        affinity(name, `10.244.${index}.0/26`),
      ]),
    ];
    for (const name of ['a', ...others]) cluster.start(name);
    cluster.advance(10_000);
    const { kernel } = cluster.node('a');
    kernel.interfaces.set(LINK, INDEX);
    kernel.linkLocals.set(LINK, parseAddress('fe80::a'));
    cluster.kill('a');
    kernel.routes.set(ROUTE, {
      prefix: parsePrefix(ROUTE),
      type: 'unicast',
      hops: [{ gateway: FAR_END, interfaceIndex: INDEX, onlink: true }],
    });
    cluster.start('a');
  }

  get hasRoute(): boolean {
    return this.cluster.node('a').kernel.routes.has(ROUTE);
  }

  /** The far end advertises itself, and listens. */
  answer(): void {
    this.#farEnd = FAR_END;
    this.cluster.network.listen(FAR_END, () => ({
      opened: () => {},
      data: (bytes) => void this.heard.push(bytes),
      drained: () => {},
      closed: () => {},
    }));
    this.cluster.node('a').bgp.deriveAgain();
  }

  /** The capability of the first OPEN that the far end has heard. */
  get announcedRestart(): Capability | undefined {
    const framer = new MessageFramer();
    for (const bytes of this.heard) framer.push(bytes);
    const frame = framer.next();
    assert.ok(frame !== undefined);
    const open = decodeMessage(frame, DEFAULT_CONTEXT);
    assert.ok(open.kind === 'open');
    return open.capabilities.find(({ kind }) => kind === 'graceful-restart');
  }
}

for (const others of [[], ['b']]) {
  test(`routes of a far end that is not known yet stay, with ${others.length} other peers`, () => {
    const restart = new Restart(...others);
    restart.cluster.advance(100_000);
    assert.ok(restart.hasRoute);
    restart.answer();
    restart.cluster.advance(1_000);
    assert.ok(restart.hasRoute);
    const capability = restart.announcedRestart;
    assert.ok(capability?.kind === 'graceful-restart');
    assert.deepEqual([capability.restarting, capability.families[0]?.forwarding], [true, true]);
  });
}

test('nobody waits for a far end for longer than for any other peer', () => {
  const restart = new Restart();
  restart.cluster.advance(119_000);
  assert.ok(restart.hasRoute);
  restart.cluster.advance(3_000);
  assert.ok(!restart.hasRoute);
});

test('a stopped node takes nothing up again', () => {
  const { cluster, asked } = new Restart();
  assert.deepEqual(new Set(asked), new Set([LINK]));
  cluster.kill('a');
  asked.length = 0;
  cluster.apply(cluster.resources.filter(({ kind }) => kind !== 'BGPPeer'));
  cluster.node('a').bgp.kernelChanged({ kind: 'unknown' });
  cluster.advance(1_000);
  assert.deepEqual(asked, []);
});
