// Next hops that the kernel cannot reach: their paths are neither used nor told (RFC 4271 section 9.1.2).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { recordLine, replay } from '@calico/mailbox';
import { explain, isKnown, sourceText } from '../core/explain/explain.ts';
import { settingsText } from '../core/speaker/config.ts';
import type { SpeakerInput } from '../core/speaker/events.ts';
import { replaySpeaker } from '../core/speaker/replay.ts';
import { affinity, bgpConfiguration, bgpFilter, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster, type SimulatedNode } from './simulated_cluster.ts';

const BLOCK = '10.244.9.0/26';
const REFLECTOR = '192.168.80.10';
const [HOP, OTHER] = ['192.168.80.20', '192.168.80.21'];
const OUTSIDE = '192.168.80.30';
const reflects = { routeReflectorClusterID: '244.0.0.1' };

function both(a: string, b: string, more: object = {}) {
  return [
    bgpPeer(`${a}-${b}`, { node: a, peerSelector: `name == '${b}'`, ...more }),
    bgpPeer(`${b}-${a}`, { node: b, peerSelector: `name == '${a}'`, ...more }),
  ];
}

const named = (name: string, address: string, bgp = {}) =>
  node(name, `${address}/24`, bgp, { name });

/** `b` and `c` announce one block, which `a` has by the reflector `r`; `a` tells it to `x`, outside. */
function start(programs: 'Enabled' | 'Disabled' = 'Enabled', inputs?: (text: string) => void) {
  const cluster = new SimulatedCluster(7);
  cluster.resources = [
    bgpConfiguration({ nodeToNodeMeshEnabled: false, programClusterRoutes: programs }),
    pool('10.244.0.0/16'),
    named('a', '192.168.80.1'),
    named('b', HOP),
    named('c', OTHER),
    named('r', REFLECTOR, reflects),
    named('x', OUTSIDE, { asNumber: 65_100 }),
    affinity('b', BLOCK),
    affinity('c', BLOCK),
    ...both('a', 'r', { addPath: 'Both' }),
    ...both('b', 'r'),
    ...both('c', 'r'),
    ...both('a', 'x', { nextHopMode: 'Self' }),
  ];
  cluster.recordOf = (name) =>
    name === 'a' && inputs !== undefined
      ? (input) => inputs(recordLine(cluster.clock.monotonic(), input))
      : undefined;
  for (const name of ['a', 'b', 'c', 'r', 'x']) cluster.start(name);
  cluster.advance(5_000);
  const move = (...unreachable: string[]): void => {
    const { kernel, bgp } = cluster.node('a');
    kernel.ways.clear();
    for (const each of unreachable) kernel.ways.set(each, undefined);
    bgp.kernelChanged({ kind: 'ways' });
    cluster.advance(1_000);
  };
  return { cluster, move, a: cluster.node('a'), x: cluster.node('x') };
}

function bestOf({ speaker }: SimulatedNode): string | undefined {
  const best = speaker.rib.get(parsePrefix(BLOCK))?.best;
  return best && formatAddress(best.data.nextHop);
}

for (const programs of ['Enabled', 'Disabled'] as const) {
  test(`a path is used and told while its next hop can be reached, routes ${programs}`, () => {
    const { a, x, move } = start(programs);
    const kernel = (): string[] => a.kernel.describe();
    const routes = (...hops: string[]) =>
      programs === 'Enabled' ? hops.map((hop) => `${BLOCK} via ${hop}`) : [];
    assert.equal(bestOf(a), HOP);
    assert.equal(bestOf(x), '192.168.80.1');
    move(HOP);
    assert.deepEqual([bestOf(a), kernel()], [OTHER, routes(OTHER)], 'the other is taken');
    assert.equal(bestOf(x), '192.168.80.1');
    move(HOP, OTHER);
    assert.deepEqual([bestOf(a), kernel(), bestOf(x)], [undefined, [], undefined]);
    assert.ok(a.speaker.peers.get(REFLECTOR)?.live, 'the session stays');
    move(OTHER);
    assert.deepEqual([bestOf(a), kernel(), bestOf(x)], [HOP, routes(HOP), '192.168.80.1']);
    const lost = (): string[] => a.bgp.messages.filter((message) => message.startsWith('Next hop'));
    assert.deepEqual(lost(), [
      'Next hop "192.168.80.21" is not reachable: routes through it are not used',
    ]);
    move();
    assert.deepEqual([bestOf(a), lost()], [HOP, []]);
  });
}

test('a route to one address on the link matters when that is a next hop or a peer', () => {
  const { a, cluster } = start();
  a.kernel.ways.set(HOP, undefined);
  a.bgp.kernelChanged({ kind: 'ways', to: parseAddress('10.244.1.7') });
  cluster.advance(1_000);
  assert.equal(bestOf(a), HOP, 'only a pod');
  a.bgp.kernelChanged({ kind: 'ways', to: parseAddress(HOP) });
  cluster.advance(1_000);
  assert.equal(bestOf(a), OTHER);
  a.kernel.ways.set(REFLECTOR, undefined);
  a.bgp.kernelChanged({ kind: 'ways', to: parseAddress(REFLECTOR) });
  cluster.advance(50);
  assert.equal(a.speaker.peers.get(REFLECTOR)?.live, undefined);
});

test('why says that a next hop is not reachable, also of the only path', () => {
  const { a, move } = start();
  const why = (): string[] =>
    explain(a.speaker, parsePrefix(BLOCK)).paths.map(
      ({ source, verdict, reason }) => `${sourceText(source)} ${verdict}: ${reason}`,
    );
  const cutOff = (hop: string) => `${REFLECTOR} rejected: next hop ${hop} is not reachable`;
  move(HOP);
  assert.deepEqual(why(), [`${REFLECTOR} best: the only path`, cutOff(HOP)]);
  move(HOP, OTHER);
  assert.deepEqual(why().toSorted(), [cutOff(HOP), cutOff(OTHER)]);
  assert.ok(isKnown(a.speaker, parsePrefix(BLOCK)));
});

test('the nearer next hop is used, together only with what is as near, and why says so', () => {
  const { a, cluster } = start();
  const gateway = parseAddress('192.168.80.99');
  const far = (hop: string, metric: number): string[] => {
    a.kernel.ways.set(hop, { gateway, interfaceIndex: 2, metric });
    a.bgp.kernelChanged({ kind: 'ways' });
    cluster.advance(1_000);
    return a.kernel.describe();
  };
  assert.deepEqual(a.kernel.describe(), [`${BLOCK} via ${HOP}, via ${OTHER}`]);
  assert.deepEqual(far(HOP, 0), [`${BLOCK} via ${OTHER}`]);
  assert.equal(bestOf(a), OTHER);
  const [, worse] = explain(a.speaker, parsePrefix(BLOCK)).paths;
  assert.equal(worse?.reason, 'the best path has: nearer next hop');
  assert.deepEqual(far(OTHER, 100), [`${BLOCK} via 192.168.80.99`]);
  assert.equal(bestOf(a), HOP, 'the metric of the route counts');
  a.kernel.ways.set(OTHER, { gateway: parseAddress('192.168.80.98'), interfaceIndex: 2 });
  assert.deepEqual(far(HOP, 1), [`${BLOCK} via 192.168.80.98, via 192.168.80.99`]);
});

test('a next hop that could never be reached is found out without any news of the kernel', () => {
  const { a, x, cluster } = start();
  cluster.kill('a');
  a.kernel.ways.set(HOP, undefined);
  a.kernel.ways.set(OTHER, undefined);
  const again = cluster.start('a');
  cluster.advance(10_000);
  assert.ok(again.speaker.peers.get(REFLECTOR)?.live);
  assert.deepEqual([bestOf(again), bestOf(x)], [undefined, undefined]);
});

test('the kernel is asked before the decision: no route goes by what nobody knew', () => {
  const { a, cluster } = start();
  const { kernel } = a;
  cluster.kill('a');
  kernel.ways.set(HOP, { gateway: parseAddress('192.168.80.99'), interfaceIndex: 2, metric: 100 });
  kernel.log.length = 0;
  cluster.start('a');
  cluster.advance(10_000);
  assert.deepEqual(kernel.describe(), [`${BLOCK} via ${OTHER}`]);
  assert.deepEqual(kernel.log, [`${BLOCK} via ${OTHER}`]);
});

test('the kernel is asked about a peer while its session is up, whatever it tells', () => {
  const { a, cluster } = start();
  const { kernel, speaker } = cluster.node('r');
  const asked: string[] = [];
  const resolve = kernel.resolve.bind(kernel);
  kernel.resolve = (address, interfaceName) => {
    asked.push(formatAddress(address));
    return resolve(address, interfaceName);
  };
  const { hops } = speaker.rib.attributes;
  assert.equal(hops.isTold(a.address), true, 'it has told nothing');
  cluster.kill('a');
  cluster.advance(1_000);
  assert.equal(hops.isTold(a.address), false);
  assert.deepEqual(asked, []);
  cluster.start('a');
  cluster.advance(10_000);
  assert.equal(hops.isTold(a.address), true);
  assert.deepEqual(asked, [formatAddress(a.address)]);
});

test('a next hop that only a route of a peer leads to comes and goes with that route', () => {
  const network = '10.9.0.0/24';
  const far = '10.9.0.20';
  const cluster = new SimulatedCluster(7);
  cluster.resources = [
    bgpConfiguration({ nodeToNodeMeshEnabled: false }),
    pool('10.244.0.0/16'),
    named('a', '192.168.80.1'),
    named('b', far),
    named('r', REFLECTOR, reflects),
    named('x', OUTSIDE, { asNumber: 65_100 }),
    affinity('b', BLOCK),
    ...both('a', 'r'),
    ...both('b', 'r'),
    ...both('a', 'x'),
  ];
  for (const name of ['a', 'b', 'r', 'x']) cluster.start(name);
  const a = cluster.node('a');
  const { kernel } = a;
  const gateway = parseAddress(OUTSIDE);
  const resolve = kernel.resolve.bind(kernel);
  kernel.resolve = (address, interfaceName) => {
    if (formatAddress(address) !== far) return resolve(address, interfaceName);
    return kernel.routes.has(network) ? { gateway, interfaceIndex: 2 } : undefined;
  };
  cluster.advance(5_000);
  assert.deepEqual([bestOf(a), kernel.describe()], [undefined, []]);
  const { operator } = cluster.node('x').bgp;
  const data = {
    attributes: { origin: 0, asPath: [] },
    nextHop: { family: 4, value: 0n },
  } as const;
  for (let time = 0; time < 2; time++) {
    void operator.inject('fabric', [{ prefix: parsePrefix(network), data }]);
    cluster.advance(1_500);
    const routes = [`${BLOCK} via ${OUTSIDE}`, `${network} via ${OUTSIDE}`].toSorted();
    assert.deepEqual([bestOf(a), kernel.describe()], [far, routes]);
    void operator.takeBack('fabric', undefined);
    cluster.advance(1_500);
    assert.deepEqual([bestOf(a), kernel.describe()], [undefined, []]);
  }
});

test('a next hop whose routes import policy keeps out anyway is no problem', () => {
  const { a, cluster, move } = start();
  const lost = (): string[] => a.bgp.messages.filter((message) => message.startsWith('Next hop'));
  move(HOP);
  assert.equal(lost().length, 1);
  const filtered = cluster.resources.map((each) =>
    each.metadata.name === 'a-r'
      ? bgpPeer('a-r', { node: 'a', peerSelector: "name == 'r'", filters: ['none'] })
      : each,
  );
  cluster.apply([...filtered, bgpFilter('none', { importV4: [{ action: 'Reject' }] })]);
  cluster.advance(1_000);
  assert.deepEqual([bestOf(a), lost()], [undefined, []]);
});

test('routes that await their peer are kept out as well', () => {
  const { a, x, cluster, move } = start();
  cluster.kill('r');
  cluster.advance(1_000);
  assert.equal(a.speaker.peers.get(REFLECTOR)?.received.staleCount, 2);
  move(HOP, OTHER);
  assert.deepEqual([bestOf(a), bestOf(x)], [undefined, undefined]);
  move(OTHER);
  assert.deepEqual([bestOf(a), bestOf(x)], [HOP, '192.168.80.1']);
});

test('what a recorded node has heard of next hops, it hears again', () => {
  let text = '';
  const { a, move } = start('Enabled', (line) => (text += line));
  move(HOP);
  const inputs = Array.from(replay<SpeakerInput>(text), ({ item }) => item);
  const { speaker } = replaySpeaker({ isRestarted: false }, inputs);
  assert.equal(
    settingsText([...speaker.rib.entries()]),
    settingsText([...a.speaker.rib.entries()]),
  );
  assert.deepEqual(speaker.rib.attributes.hops.unreachable().map(formatAddress), [HOP]);
});
