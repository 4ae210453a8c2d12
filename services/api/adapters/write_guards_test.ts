import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApplyRequestSchema,
  CreateRequestSchema,
  DeleteRequestSchema,
  GetRequestSchema,
  GetVersionRequestSchema,
  ListRequestSchema,
  ValidateRequestSchema,
} from '@calico/proto/api/v1/resources';
import {
  block,
  context,
  document,
  isCode,
  message,
  POOL_ONE,
  pool,
  service,
} from './memory_api.ts';

test('pools may not overlap, also when two are created at once; block sizes do not change', async () => {
  const { handlers } = await service();
  const make = (name: string, cidr: string) =>
    handlers.create(message(CreateRequestSchema, { resource: pool(name, cidr) }), context);
  const outcomes = await Promise.allSettled([make('a', '10.1.0.0/16'), make('b', '10.1.128.0/17')]);
  assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  const name = outcomes[0]?.status === 'fulfilled' ? 'a' : 'b';
  const cidr = name === 'a' ? '10.1.0.0/16' : '10.1.128.0/17';
  await assert.rejects(
    handlers.apply(
      message(ApplyRequestSchema, { resource: pool(name, cidr, { blockSize: 28 }) }),
      context,
    ),
    isCode('INVALID_ARGUMENT', /spec\.blockSize/),
  );
});

test('a pool is deleted with its empty blocks, but not while workloads use it', async () => {
  const { store, handlers } = await service();
  await handlers.create(
    message(CreateRequestSchema, { resource: pool('one', '10.1.0.0/16') }),
    context,
  );
  const put = (key: string, value: string) =>
    store.commit({ compare: [], operations: [{ kind: 'put', key, value }] });
  for (const [cidr, used] of [
    ['10.1.0.0/26', true],
    ['10.1.0.64/26', false],
  ] as const) {
    await put(`/calico/ipam/v2/assignment/ipv4/block/${cidr.replace('/', '-')}`, block(cidr, used));
    await put(
      `/calico/ipam/v2/host/n1/ipv4/block/${cidr.replace('/', '-')}`,
      '{"state":"confirmed"}',
    );
  }
  const remove = () =>
    handlers.delete(
      message(DeleteRequestSchema, { key: { kind: 'IPPool', name: 'one' } }),
      context,
    );
  await assert.rejects(remove(), isCode('FAILED_PRECONDITION', /10\.1\.0\.0\/26/));
  await put('/calico/ipam/v2/assignment/ipv4/block/10.1.0.0-26', block('10.1.0.0/26', false));
  await remove();
  assert.deepEqual((await store.list('/calico/ipam/')).entries, []);
});

for (const [what, cidr, before] of [
  ['a new block', '10.1.4.0/26', undefined],
  ['a block with a tunnel address only', '10.1.0.0/26', 'tunnel'],
] as const) {
  test(`a pool is not deleted under an assignment in the same moment: ${what}`, async () => {
    const { store, handlers } = await service();
    await handlers.create(
      message(CreateRequestSchema, { resource: pool('one', '10.1.0.0/16') }),
      context,
    );
    const key = `/calico/ipam/v2/assignment/ipv4/block/${cidr.replace('/', '-')}`;
    const tunnel = block(cidr, true).replace(
      '"attributes":[{',
      '"attributes":[{"secondary":{"type":"vxlanTunnelAddress"},',
    );
    if (before !== undefined) {
      await store.commit({ compare: [], operations: [{ kind: 'put', key, value: tunnel }] });
    }
    // As ipam does it: the pool is compared, the block written; after the deletion looked at blocks.
    const found = await store.get(POOL_ONE);
    const commit = store.commit.bind(store);
    store.commit = async (transaction, options) => {
      store.commit = commit;
      const assigned = await commit({
        compare: [{ key: POOL_ONE, modRevision: found?.modRevision ?? 0n }],
        operations: [{ kind: 'put', key, value: block(cidr, true) }],
      });
      assert.equal(assigned.kind, 'committed');
      return await commit(transaction, options);
    };
    await assert.rejects(
      handlers.delete(
        message(DeleteRequestSchema, { key: { kind: 'IPPool', name: 'one' } }),
        context,
      ),
      isCode('FAILED_PRECONDITION', /1 of its addresses are in use/),
    );
    assert.notEqual(await store.get(POOL_ONE), undefined);
  });
}

test('a node is not deleted while endpoints are on it', async () => {
  const { store, handlers } = await service();
  await handlers.create(
    message(CreateRequestSchema, { resource: document('Node', { name: 'n1' }, {}) }),
    context,
  );
  const key = '/calico/resources/v3/projectcalico.org/workloadendpoints/default/n1-cni-web-eth0';
  const metadata = { name: 'n1-cni-web-eth0', namespace: 'default' };
  const { json: value } = document('WorkloadEndpoint', metadata, { node: 'n1', endpoint: 'eth0' });
  await store.commit({ compare: [], operations: [{ kind: 'put', key, value }] });
  const remove = () =>
    handlers.delete(message(DeleteRequestSchema, { key: { kind: 'Node', name: 'n1' } }), context);
  await assert.rejects(
    remove(),
    isCode(
      'FAILED_PRECONDITION',
      /1 workload endpoint\(s\) are on it \(default\/n1-cni-web-eth0\)/,
    ),
  );
  await store.commit({ compare: [], operations: [{ kind: 'delete', key }] });
  await remove();
});

test('blocks and affinities are read as resources and cannot be written', async () => {
  const { store, handlers } = await service();
  const put = (key: string, value: string) =>
    store.commit({ compare: [], operations: [{ kind: 'put', key, value }] });
  await put('/calico/ipam/v2/host/n1/ipv4/block/10.1.0.0-26', '');
  const { resources } = await handlers.list(message(ListRequestSchema, { kind: '' }), context);
  const affinity = resources?.find(({ kind }) => kind === 'BlockAffinity');
  assert.equal(affinity?.name, 'n1-10-1-0-0-26');
  assert.match(affinity?.json ?? '', /"state":"confirmed"/);
  const { resource } = await handlers.get(
    message(GetRequestSchema, { key: { kind: 'BlockAffinity', name: 'n1-10-1-0-0-26' } }),
    context,
  );
  assert.equal(resource?.json, affinity?.json);
  await assert.rejects(
    handlers.delete(
      message(DeleteRequestSchema, { key: { kind: 'BlockAffinity', name: 'n1-10-1-0-0-26' } }),
      context,
    ),
    isCode('FAILED_PRECONDITION'),
  );
});

test('validate() refuses what an apply would, and writes nothing', async () => {
  const { handlers, store } = await service();
  const validate = async (resource: { json: string }, ...earlier: { json: string }[]) =>
    handlers.validate(message(ValidateRequestSchema, { resource, earlier }), context);
  await handlers.create(
    message(CreateRequestSchema, { resource: pool('one', '10.0.0.0/16') }),
    context,
  );
  const before = (await store.list('/')).revision;
  await validate(pool('two', '10.1.0.0/16'));
  await assert.rejects(
    () => validate(pool('two', '10.0.3.0/24')),
    isCode('INVALID_ARGUMENT', /spec\.cidr "10\.0\.3\.0\/24": overlaps/),
  );
  await assert.rejects(
    () => validate(pool('three', '10.1.3.0/24'), pool('two', '10.1.0.0/16')),
    isCode('INVALID_ARGUMENT', /overlaps "10\.1\.0\.0\/16" of IPPool "two"/),
  );
  const policy = document('GlobalNetworkPolicy', { name: 'own.p' }, { tier: 'own' });
  await assert.rejects(
    () => validate(policy),
    isCode('INVALID_ARGUMENT', /spec\.tier "own": no such Tier/),
  );
  await validate(policy, document('Tier', { name: 'own' }, { order: 5 }));
  assert.equal((await store.list('/')).revision, before);
});

test('what every cluster has is there and stays', async () => {
  const { handlers } = await service();
  for (const key of [
    { kind: 'Tier', name: 'default' },
    { kind: 'Profile', name: 'projectcalico-default-allow' },
  ]) {
    await handlers.get(message(GetRequestSchema, { key }), context);
    await assert.rejects(
      handlers.delete(message(DeleteRequestSchema, { key }), context),
      isCode('FAILED_PRECONDITION'),
    );
  }
  const { clusterGuid } = await handlers.getVersion(message(GetVersionRequestSchema, {}), context);
  assert.match(clusterGuid ?? '', /^uid-/);
});

test("an endpoint is written only while the handle is its container's when the transaction commits", async () => {
  const { store, handlers } = await service();
  const spec = { orchestrator: 'k8s', node: 'n1', containerID: 'c1', pod: 'a', endpoint: 'eth0' };
  const resource = document('WorkloadEndpoint', { name: 'n1-k8s-a-eth0', namespace: 'x' }, spec);
  const apply = () =>
    handlers.apply(message(ApplyRequestSchema, { resource, ipamHandle: 'net.c1' }), context);
  await assert.rejects(apply, isCode('FAILED_PRECONDITION', /handle "net.c1" holds no addresses/));
  const key = '/calico/ipam/v2/handle/net.c1';
  const put = (containerID: string) =>
    store.commit({
      compare: [],
      operations: [{ kind: 'put', key, value: JSON.stringify({ owner: { containerID } }) }],
    });
  await put('c2');
  await assert.rejects(apply, isCode('FAILED_PRECONDITION', /belongs to container "c2"/));
  await put('c1');
  const get = store.get.bind(store);
  // The handle is released between the reading and the transaction.
  store.get = async (asked, options) => {
    const found = await get(asked, options);
    if (asked === key && found !== undefined) {
      store.get = get;
      await store.commit({ compare: [], operations: [{ kind: 'delete', key }] });
    }
    return found;
  };
  await assert.rejects(apply, isCode('FAILED_PRECONDITION', /holds no addresses/));
  await put('c1');
  const { changed } = await apply();
  assert.equal(changed, true);
});
