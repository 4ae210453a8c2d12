import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inconsistencies } from '../consistency.ts';
import { IpamError, type Reason } from '../ipam_error.ts';
import { RecordMap } from '../record_map.ts';
import { parseBlock } from '../records/block.ts';
import { CONFIG_KEY, CONFIG_RESOURCE_KEY } from '../records/keys.ts';
import { type AssignRequest, type AssignStep, assignStep } from './auto_assign.ts';
import { releaseHandle } from './release.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';

function cluster(pools: Record<string, object>): RecordMap {
  const map = new RecordMap();
  for (const [name, spec] of Object.entries(pools)) {
    map.put(`${RESOURCES}/ippools/${name}`, JSON.stringify({ metadata: { name }, spec }));
  }
  return map;
}

type Ask = Partial<Omit<AssignRequest, 'wanted'>> & {
  v4?: number;
  v6?: number;
  pools?: string[];
  handle?: string;
};

function request({ v4 = 1, v6 = 0, pools = [], handle = 'h', ...rest }: Ask): AssignRequest {
  return {
    node: 'n1',
    owner: { handleId: handle, secondary: {} },
    namespace: '',
    use: 'Workload',
    maxBlocks: 0,
    ...rest,
    wanted: { 4: { count: v4, pools }, 6: { count: v6, pools: [] } },
  };
}

/** Repeats steps until the request is answered, as the service does. */
function assign(map: RecordMap, ask: Ask, now = NOW): AssignStep {
  for (;;) {
    const step = map.run(assignStep(request(ask), now));
    if (step.isComplete) return step;
  }
}

const texts = (step: AssignStep) => step.addresses.map(({ address }) => address);
const obstacle = (step: AssignStep) => step.obstacles.get(4) ?? '';

function refuses(work: () => unknown, reason: Reason, message: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof IpamError);
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    return true;
  });
}

const merged = (cidr = '') => cidr.replace(/\.(\d+)\/29$/, (_, last) => `.${+last & ~15}/28`);

test('a node fills its block before it claims the neighbour', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/24', blockSize: 29 } });
  const first = assign(map, { v4: 8, handle: 'a' });
  assert.equal(new Set(first.addresses.map(({ block }) => block)).size, 1);
  const second = assign(map, { v4: 1, handle: 'b' });
  assert.equal(merged(second.addresses[0]?.block), merged(first.addresses[0]?.block));
  assert.equal(second.addresses[0]?.pool, 'p');
});

test('more addresses than a block holds come from several blocks', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/24', blockSize: 30 } });
  const step = assign(map, { v4: 11 });
  assert.equal(new Set(texts(step)).size, 11);
  assert.equal(new Set(step.addresses.map(({ block }) => block)).size, 3);
});

test('both families come in one transaction', () => {
  const map = cluster({ four: { cidr: '10.0.0.0/24' }, six: { cidr: 'fd00::/64' } });
  const before = map.revision;
  const step = assign(map, { v4: 1, v6: 1 });
  assert.equal(map.revision, before + 1n);
  assert.match(texts(step).join(), /^10\.0\.0\.\d+,fd00::/);
  assert.equal(map.values.size, 2 + 2 + 2 + 1, 'pools, blocks, affinities, handle');
});

test('a family without a pool refuses before the other has taken anything', () => {
  const map = cluster({ four: { cidr: '10.0.0.0/24' } });
  refuses(() => assign(map, { v4: 1, v6: 1 }), 'not-found', /IPv6.*IPv6 pools: none/);
  assert.equal(map.values.size, 1);
});

test('an exhausted pool gives what it has and says so', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/30', blockSize: 30 } });
  const step = assign(map, { v4: 5 });
  assert.equal(step.addresses.length, 4);
  assert.equal(obstacle(step), 'No IPs available in pools: [10.0.0.0/30]');
});

test('a node without free blocks borrows, unless strictAffinity is on', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/29', blockSize: 30 } });
  assign(map, { node: 'n1', handle: 'a' });
  assign(map, { node: 'n2', handle: 'b' });
  const borrowed = assign(map, { node: 'n3', handle: 'c' });
  assert.equal(borrowed.addresses.length, 1);
  assert.equal([...map.values.keys()].filter((key) => key.includes('/host/n3/')).length, 0);
  map.put(CONFIG_RESOURCE_KEY, JSON.stringify({ spec: { strictAffinity: true } }));
  const strict = assign(map, { node: 'n3', handle: 'd' });
  assert.equal(obstacle(strict), 'No more free affine blocks and strict affinity enabled');
});

test('the block limit is the smaller of the configured and the requested one', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/24', blockSize: 31 } });
  map.put(
    CONFIG_RESOURCE_KEY,
    JSON.stringify({ spec: { strictAffinity: true, maxBlocksPerHost: 3 } }),
  );
  const step = assign(map, { v4: 9 });
  assert.equal(step.addresses.length, 6);
  assert.match(obstacle(step), /limit of 3 blocks reached for this node/);
  const other = assign(map, { node: 'n2', handle: 'b', v4: 9, maxBlocks: 1 });
  assert.equal(other.addresses.length, 2);
  assert.match(obstacle(other), /limit of 1 blocks/);
});

test('settings of older tools count while there is no resource', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/29', blockSize: 30 } });
  map.put(CONFIG_KEY, JSON.stringify({ strict_affinity: true }));
  assert.match(obstacle(assign(map, {})), /strict affinity/);
});

test('reserved addresses are never given out automatically', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/29', blockSize: 30 } });
  map.put(
    `${RESOURCES}/ipreservations/r`,
    JSON.stringify({ spec: { reservedCIDRs: ['10.0.0.0/30', '10.0.0.5'] } }),
  );
  const step = assign(map, { v4: 8 });
  assert.deepEqual(texts(step).toSorted(), ['10.0.0.4', '10.0.0.6', '10.0.0.7']);
});

test('an IPv6 pool that is wholly reserved is refused at once', () => {
  const map = cluster({ p: { cidr: 'fd00::/64' } });
  map.put(
    `${RESOURCES}/ipreservations/r`,
    JSON.stringify({ spec: { reservedCIDRs: ['fd00::/64'] } }),
  );
  const step = assign(map, { v4: 0, v6: 1 });
  assert.equal(step.obstacles.get(6), 'No IPs available in pools: [fd00::/64]');
});

test('pools are chosen by node selector, use, mode and state', () => {
  const map = cluster({
    a: { cidr: '10.1.0.0/24', nodeSelector: "zone == 'west'" },
    b: { cidr: '10.2.0.0/24', allowedUses: ['Tunnel'] },
    c: { cidr: '10.3.0.0/24', disabled: true },
    d: { cidr: '10.4.0.0/24', assignmentMode: 'Manual' },
    e: { cidr: '10.5.0.0/24', namespaceSelector: "team == 'x'" },
  });
  refuses(() => assign(map, {}), 'not-found', /no enabled pool selects it for use Workload/);
  assert.match(texts(assign(map, { use: 'Tunnel', handle: 't' }))[0] ?? '', /^10\.2\./);
  map.put(`${RESOURCES}/nodes/n1`, JSON.stringify({ metadata: { labels: { zone: 'west' } } }));
  assert.match(texts(assign(map, {}))[0] ?? '', /^10\.1\./);
  map.put(
    `${RESOURCES}/profiles/kns.ns1`,
    JSON.stringify({ spec: { labelsToApply: { 'pcns.team': 'x' } } }),
  );
  const inNamespace = assign(map, { node: 'n2', namespace: 'ns1', handle: 'e' });
  assert.match(texts(inNamespace)[0] ?? '', /^10\.5\./);
});

test('named pools are used by name or CIDR, whatever they select', () => {
  const map = cluster({
    a: { cidr: '10.1.0.0/24', nodeSelector: '!all()' },
    c: { cidr: '10.3.0.0/24', disabled: true },
    d: { cidr: '10.4.0.0/24', assignmentMode: 'Manual' },
  });
  assert.match(texts(assign(map, { pools: ['a'], handle: 'a' }))[0] ?? '', /^10\.1\./);
  assert.match(texts(assign(map, { pools: ['10.4.0.0/24'], handle: 'd' }))[0] ?? '', /^10\.4\./);
  refuses(() => assign(map, { pools: ['c'] }), 'precondition', /"c": it is disabled/);
  refuses(() => assign(map, { pools: ['z'] }), 'not-found', /no IPv4 pool has this name or CIDR/);
});

test('a selector that cannot be parsed is named with its pool', () => {
  const map = cluster({ a: { cidr: '10.1.0.0/24', nodeSelector: '((' } });
  map.put(`${RESOURCES}/nodes/n1`, '{}');
  refuses(() => assign(map, {}), 'precondition', /pool "a": spec.nodeSelector "\(\("/);
});

test('an empty block of another node is reclaimed after a minute, not before', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/30', blockSize: 30 } });
  map.put(CONFIG_RESOURCE_KEY, JSON.stringify({ spec: { strictAffinity: true } }));
  assign(map, { node: 'n1', handle: 'a' });
  const key = [...map.values.keys()].find((one) => one.includes('/assignment/')) ?? '';
  const block = map.values.get(key) ?? '';
  map.put(
    key,
    block
      .replace(/"allocations":\[[^\]]*\]/, '"allocations":[null,null,null,null]')
      .replace(/"unallocated":\[[^\]]*\]/, '"unallocated":[0,1,2,3]')
      .replace(/"attributes":\[.*?\}\]/, '"attributes":[]'),
  );
  assert.match(obstacle(assign(map, { node: 'n2', handle: 'b' }, NOW + 59_000)), /strict/);
  const step = assign(map, { node: 'n2', handle: 'b' }, NOW + 61_000);
  assert.equal(step.addresses.length, 1);
  assert.equal(parseBlock(key, map.values.get(key) ?? '').affinity, 'host:n2');
  const affinities = [...map.values.keys()].filter((one) => one.includes('/host/'));
  assert.deepEqual(affinities, ['/calico/ipam/v2/host/n2/ipv4/block/10.0.0.0-30']);
});

test('a full pool of many blocks is searched to the last one', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/22', blockSize: 30 } });
  for (let i = 0; i < 255; i++) assign(map, { node: `node-${i}`, handle: `h${i}`, v4: 4 });
  const last = assign(map, { node: 'late', handle: 'late', v4: 4 });
  assert.equal(last.addresses.length, 4);
  assert.match(obstacle(assign(map, { node: 'n', handle: 'none' })), /No IPs available/);
});

test('a damaged block is left alone and does not stop others', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/29', blockSize: 30 } });
  map.put('/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30', '{"cidr":');
  const step = assign(map, { v4: 8 });
  assert.equal(step.addresses.length, 4);
  assert.equal(map.values.get('/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30'), '{"cidr":');
});

test('a left-over pending affinity is confirmed when its block is claimed', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/30', blockSize: 30 } });
  const key = '/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-30';
  map.put(key, '{"state":"pending"}');
  assign(map, {});
  assert.equal(map.values.get(key), '{"state":"confirmed","deleted":false}');
});

test('a node starts beside nobody, where upstream starts if that is so', () => {
  const map = cluster({ p: { cidr: '10.244.0.0/16' } });
  assert.equal(assign(map, { node: 'k8s-node02' }).addresses[0]?.block, '10.244.58.192/26');

  const other = cluster({ p: { cidr: '10.244.0.0/16' } });
  other.put('/calico/ipam/v2/assignment/ipv4/block/10.244.58.128-26', '{}');
  assert.equal(assign(other, { node: 'k8s-node02' }).addresses[0]?.block, '10.244.60.0/26');
  const { addresses } = assign(other, { node: 'k8s-node02', handle: 'more', v4: 65 });
  assert.equal(addresses.at(-1)?.block, '10.244.60.64/26');
});

test('a pool without a block beside nobody is used up all the same', () => {
  const map = cluster({ p: { cidr: '10.0.0.0/28', blockSize: 30 } });
  for (const base of [0, 8])
    map.put(`/calico/ipam/v2/assignment/ipv4/block/10.0.0.${base}-30`, '{}');
  const blocks = [0, 1].map(
    (i) => assign(map, { node: `n${i}`, handle: `h${i}` }).addresses[0]?.block,
  );
  assert.deepEqual(new Set(blocks), new Set(['10.0.0.4/30', '10.0.0.12/30']));
});

test('an empty block of a pool that selects the node no more goes when it takes a new one', () => {
  const east = { cidr: '10.1.0.0/28', blockSize: 30 };
  const map = cluster({ a: east });
  assign(map, { v4: 8 });
  map.run(releaseHandle('h', NOW));
  assign(map, { handle: 'stays' });
  map.put(`${RESOURCES}/nodes/n1`, JSON.stringify({ metadata: { labels: { zone: 'west' } } }));
  map.put(
    `${RESOURCES}/ippools/a`,
    JSON.stringify({ spec: { ...east, nodeSelector: "zone == 'east'" } }),
  );
  map.put(
    `${RESOURCES}/ippools/b`,
    JSON.stringify({ spec: { cidr: '10.2.0.0/28', blockSize: 30 } }),
  );
  const before = [...map.values.keys()].filter((key) => key.includes('/block/10.1.')).length;
  assert.equal(before, 4, 'two blocks with their affinities');
  const [address = ''] = texts(assign(map, { handle: 'new' }));
  assert.match(address, /^10\.2\./);
  const left = [...map.values.keys()].filter((key) => key.includes('/block/10.1.'));
  assert.equal(left.length, 2, 'the one in use stays');
  assert.deepEqual(inconsistencies(map.values), []);
});
