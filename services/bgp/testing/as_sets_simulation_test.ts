// Paths with sets of AS numbers (RFC 9774): as if they had been withdrawn, unless the operator wants them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AsPath, formatAsPath, Origin } from '@calico/bgp-wire';
import { parsePrefix } from '@calico/ip';
import { explain } from '../core/explain/explain.ts';
import { sequence } from './paths.ts';
import { bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const PREFIX = parsePrefix('10.244.9.0/26');
const WITH_SET: AsPath = [...sequence(65_300), { kind: 'set', asns: [65_301, 65_302] }];
const REFUSAL = 'AS path has a set of AS numbers (RFC 9774), and asSets is not "Accept"';

function peering(a: string, b: string) {
  return bgpPeer(`${a}-${b}`, { node: a, peerSelector: `name == '${b}'` });
}

test('a route whose path gets a set is withdrawn, here and at internal peers, and asSets lets it in', () => {
  const cluster = new SimulatedCluster(3);
  const others = [
    bgpConfiguration({ asSets: 'Accept' }, 'node.x'),
    pool('10.244.0.0/16'),
    ...['a', 'b', 'x'].map((name, index) =>
      node(name, `192.168.80.10${index}/24`, name === 'x' ? { asNumber: 65_100 } : {}, { name }),
    ),
    peering('a', 'b'),
    peering('b', 'a'),
    peering('a', 'x'),
    peering('x', 'a'),
  ];
  const given = (spec: object) => [
    bgpConfiguration({ nodeToNodeMeshEnabled: false, ...spec }),
    ...others,
  ];
  cluster.resources = given({});
  for (const name of ['a', 'b', 'x']) cluster.start(name);
  cluster.advance(5_000);
  const pathOf = (name: string): string | undefined => {
    const best = cluster.node(name).speaker.rib.get(PREFIX)?.best;
    return best && formatAsPath(best.data.attributes.asPath ?? []);
  };
  const inject = (name: string, asPath: AsPath): void => {
    const data = {
      attributes: { origin: Origin.Igp, asPath },
      nextHop: { family: 4 as const, value: 0n },
    };
    void cluster.node(name).bgp.operator.inject('test', [{ prefix: PREFIX, data }]);
    cluster.advance(500);
  };
  inject('x', sequence(65_300));
  assert.deepEqual([pathOf('a'), pathOf('b')], ['65100 65300', '65100 65300']);
  inject('x', WITH_SET);
  assert.deepEqual([pathOf('a'), pathOf('b')], [undefined, undefined]);
  const { speaker } = cluster.node('a');
  const reasons = explain(speaker, PREFIX).paths.map(({ verdict, reason }) => [verdict, reason]);
  assert.deepEqual(reasons, [['rejected', REFUSAL]]);
  assert.ok(speaker.peers.get('192.168.80.102')?.live, 'the session stays');

  cluster.apply(given({ asSets: 'Accept' }));
  cluster.advance(500);
  const full = '65100 65300 {65301 65302}';
  assert.deepEqual([pathOf('a'), pathOf('b')], [full, full]);
  cluster.apply(given({}));
  cluster.advance(500);
  assert.deepEqual([pathOf('a'), pathOf('b')], [undefined, undefined]);

  void cluster.node('x').bgp.operator.takeBack('test', undefined);
  inject('b', WITH_SET);
  assert.equal(pathOf('b'), '65300 {65301 65302}');
  assert.equal(pathOf('a'), undefined, 'nor is one told that was injected');
  assert.deepEqual(
    explain(cluster.node('b').speaker, PREFIX).exports.map(({ reason }) => reason),
    [REFUSAL],
  );
});
