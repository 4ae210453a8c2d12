import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { FakeClock } from '@calico/clock';
import {
  ApplyRequestSchema,
  CreateRequestSchema,
  DeleteRequestSchema,
  GetRequestSchema,
  GetVersionRequestSchema,
  ListRequestSchema,
  PatchRequestSchema,
  PatchType,
  ReplaceRequestSchema,
  ValidateRequestSchema,
  WatchRequestSchema,
} from '@calico/proto/api/v1/resources';
import { RpcError } from '@calico/rpc';
import { MemoryStore } from '@calico/store';
import { HealthRegistry, silentLogger } from '@calico/telemetry';
import * as fc from 'fast-check';
import { writeBuiltIns } from './built_in_writer.ts';
import { createHandlers } from './grpc_handlers.ts';
import { ResourceReader } from './resource_reader.ts';
import { ResourceWriter } from './resource_writer.ts';

const context = { peer: 'test', signal: new AbortController().signal };

async function service() {
  const store = new MemoryStore();
  let born = 0;
  const birth = () => ({ uid: `uid-${++born}`, creationTimestamp: '2026-01-01T00:00:00Z' });
  const reader = new ResourceReader(store);
  const writer = new ResourceWriter({ store, reader, birth, now: () => 0 });
  await writeBuiltIns({
    store,
    birth,
    version: '1',
    clock: new FakeClock(),
    logger: silentLogger,
    health: new HealthRegistry(),
    signal: context.signal,
  });
  return { store, handlers: createHandlers({ reader, writer, version: '1' }) };
}

const POOL_ONE = '/calico/resources/v3/projectcalico.org/ippools/one';

const pool = (name: string, cidr: string, spec: object = {}, metadata: object = {}) =>
  document('IPPool', { name, ...metadata }, { cidr, ...spec });

function document(kind: string, metadata: object, spec: object) {
  return { json: JSON.stringify({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec }) };
}

function message<S extends DescMessage>(schema: S, init: MessageInitShape<S>) {
  return create(schema, init);
}

const isCode =
  (code: string, pattern = /./) =>
  (cause: unknown) => {
    assert.ok(cause instanceof RpcError, String(cause));
    assert.equal(cause.code, code, cause.message);
    assert.match(cause.message, pattern);
    return true;
  };

function uid(json = '{}'): string {
  return (JSON.parse(json) as { metadata: { uid: string } }).metadata.uid;
}

/** An IPAM block of 64 addresses, the first in use or none. */
function block(cidr: string, used: boolean): string {
  return JSON.stringify({
    cidr,
    affinity: 'host:n1',
    allocations: [used ? 0 : null, ...Array.from({ length: 63 }, () => null)],
    unallocated: Array.from({ length: used ? 63 : 64 }, (_, index) => index + (used ? 1 : 0)),
    attributes: used ? [{ handle_id: 'h' }] : [],
  });
}

test('create() stores the document under its etcd key, without resourceVersion, with uid and time', async () => {
  const { store, handlers } = await service();
  const { resource } = await handlers.create(
    message(CreateRequestSchema, { resource: pool('one', '10.1.0.0/16') }),
    context,
  );
  const entry = await store.get('/calico/resources/v3/projectcalico.org/ippools/one');
  const stored = JSON.parse(entry?.value ?? '') as {
    metadata: object;
    spec: { blockSize: number };
  };
  assert.equal('resourceVersion' in stored.metadata, false);
  assert.equal('uid' in stored.metadata, true);
  assert.equal(stored.spec.blockSize, 26);
  assert.equal(resource?.revision, entry?.modRevision);
  assert.match(resource?.json ?? '', new RegExp(`"resourceVersion":"${entry?.modRevision}"`));
});

test('create() of what exists is ALREADY_EXISTS, replace() of what does not is NOT_FOUND', async () => {
  const { handlers } = await service();
  const resource = pool('one', '10.1.0.0/16');
  await assert.rejects(
    handlers.replace(message(ReplaceRequestSchema, { resource }), context),
    isCode('NOT_FOUND', /IPPool "one"/),
  );
  await handlers.create(message(CreateRequestSchema, { resource }), context);
  await assert.rejects(
    handlers.create(message(CreateRequestSchema, { resource }), context),
    isCode('ALREADY_EXISTS'),
  );
});

test('apply() keeps uid and time, and says when nothing changed', async () => {
  const { handlers } = await service();
  const apply = (spec: object) =>
    handlers.apply(
      message(ApplyRequestSchema, { resource: pool('one', '10.1.0.0/16', spec) }),
      context,
    );
  const first = await apply({});
  const again = await apply({});
  assert.equal(again.changed, false);
  assert.equal(again.resource?.revision, first.resource?.revision);
  const changed = await apply({ natOutgoing: true });
  assert.equal(changed.changed, true);
  assert.equal(uid(changed.resource?.json), uid(first.resource?.json));
});

test('a resourceVersion that is not current is ABORTED and changes nothing', async () => {
  const { store, handlers } = await service();
  const { resource } = await handlers.create(
    message(CreateRequestSchema, { resource: pool('one', '10.1.0.0/16') }),
    context,
  );
  const version = String(resource?.revision);
  const replace = (resourceVersion: string, natOutgoing: boolean) =>
    handlers.replace(
      message(ReplaceRequestSchema, {
        resource: pool('one', '10.1.0.0/16', { natOutgoing }, { resourceVersion }),
      }),
      context,
    );
  await replace(version, true);
  await assert.rejects(replace(version, false), isCode('ABORTED', /resourceVersion/));
  const entry = await store.get('/calico/resources/v3/projectcalico.org/ippools/one');
  assert.match(entry?.value ?? '', /"natOutgoing":true/);
});

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

test('list() pages through all kinds at one revision', async () => {
  const { handlers } = await service();
  for (let index = 0; index < 7; index++) {
    await handlers.create(
      message(CreateRequestSchema, { resource: pool(`p${index}`, `10.${index}.0.0/16`) }),
      context,
    );
  }
  const names: string[] = [];
  const revisions = new Set<bigint | undefined>();
  let pageToken = '';
  do {
    const page = await handlers.list(
      message(ListRequestSchema, { kind: '', limit: 3, pageToken }),
      context,
    );
    names.push(...(page.resources ?? []).map(({ kind, name }) => `${kind}/${name}`));
    revisions.add(page.revision);
    pageToken = page.nextPageToken ?? '';
    await handlers.patch(
      message(PatchRequestSchema, {
        key: { kind: 'IPPool', name: 'p0' },
        type: PatchType.MERGE,
        patch: JSON.stringify({ metadata: { annotations: { at: String(names.length) } } }),
      }),
      context,
    );
  } while (pageToken !== '');
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    names.filter((name) => name.startsWith('IPPool/')),
    [0, 1, 2, 3, 4, 5, 6].map((index) => `IPPool/p${index}`),
  );
  assert.equal(revisions.size, 1);
});

test('watch() from 0 sends the state, a bookmark, then every change', async () => {
  const { handlers } = await service();
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    const request = message(WatchRequestSchema, { kind: 'Tier' });
    for await (const { event } of handlers.watch(request, { ...context, signal: stop.signal })) {
      if (event?.case === 'put') seen.push(`put ${event.value.name}`);
      else if (event?.case === 'removed') seen.push(`removed ${event.value.key?.name}`);
      else if (event?.case === 'bookmark' && seen.at(-1) !== 'bookmark') seen.push('bookmark');
      if (seen.at(-1) === 'removed mine') stop.abort();
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await handlers.create(
    message(CreateRequestSchema, { resource: document('Tier', { name: 'mine' }, { order: 5 }) }),
    context,
  );
  await handlers.delete(
    message(DeleteRequestSchema, { key: { kind: 'Tier', name: 'mine' } }),
    context,
  );
  await watching;
  assert.deepEqual(
    seen.filter((each) => each !== 'bookmark'),
    ['put default', 'put kube-admin', 'put kube-baseline', 'put mine', 'removed mine'],
  );
  assert.equal(seen[3], 'bookmark');
});

test('patch() merges, applies JSON patches, and refuses to change the name', async () => {
  const { handlers } = await service();
  await handlers.create(
    message(CreateRequestSchema, { resource: pool('one', '10.1.0.0/16') }),
    context,
  );
  const patch = (type: PatchType, body: unknown) =>
    handlers.patch(
      message(PatchRequestSchema, {
        key: { kind: 'IPPool', name: 'one' },
        type,
        patch: JSON.stringify(body),
      }),
      context,
    );
  const merged = await patch(PatchType.MERGE, { spec: { natOutgoing: true } });
  assert.match(merged.resource?.json ?? '', /"natOutgoing":true/);
  const replaced = await patch(PatchType.JSON, [
    { op: 'replace', path: '/spec/natOutgoing', value: false },
  ]);
  assert.match(replaced.resource?.json ?? '', /"natOutgoing":false/);
  await assert.rejects(
    patch(PatchType.MERGE, { metadata: { name: 'two' } }),
    isCode('INVALID_ARGUMENT', /cannot be changed/),
  );
  await assert.rejects(
    patch(PatchType.JSON, [{ op: 'remove', path: '/spec/missing' }]),
    isCode('INVALID_ARGUMENT', /IPPool "one"/),
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

test('garbage on every method is INVALID_ARGUMENT or NOT_FOUND, and nothing is written', async () => {
  const { store, handlers } = await service();
  const { revision: before } = await store.list('/');
  const garbage = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom('{}', '[]', 'null', '{"kind":"IPPool"}'),
  );
  await fc.assert(
    fc.asyncProperty(garbage, fc.string(), fc.string(), async (json, kind, name) => {
      const resource = { json, kind };
      const key = { kind, name, namespace: name };
      const calls = [
        () => handlers.create(message(CreateRequestSchema, { resource }), context),
        () => handlers.replace(message(ReplaceRequestSchema, { resource }), context),
        () => handlers.apply(message(ApplyRequestSchema, { resource }), context),
        () => handlers.validate(message(ValidateRequestSchema, { resource }), context),
        () => handlers.get(message(GetRequestSchema, { key }), context),
        () => handlers.delete(message(DeleteRequestSchema, { key }), context),
        () =>
          handlers.list(message(ListRequestSchema, { kind: `${kind}?`, pageToken: name }), context),
        () =>
          handlers.patch(
            message(PatchRequestSchema, { key, type: PatchType.JSON, patch: json }),
            context,
          ),
      ];
      for (const call of calls) {
        await assert.rejects(call(), (cause: unknown) => {
          assert.ok(cause instanceof RpcError, String(cause));
          assert.ok(['INVALID_ARGUMENT', 'NOT_FOUND'].includes(cause.code), cause.code);
          return true;
        });
      }
    }),
    { numRuns: 300 },
  );
  assert.equal((await store.list('/')).revision, before);
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
