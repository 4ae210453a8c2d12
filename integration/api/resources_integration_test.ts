// ResourceService as a process on a real etcd: upstream's keys and JSON, concurrency, rules, watches.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '@calico/clock';
import { PatchType, type WatchResponse } from '@calico/proto/api/v1/resources';
import { openEtcd, type Store } from '@calico/store';
import { Etcd3 } from 'etcd3';
import { PrivateEtcd } from '../store/private_etcd.ts';
import { type ApiClient, type ApiProcess, startApi, untilReady } from './api_process.ts';
import { document, parsed, pool, refuses } from './documents.ts';

const ROOT = '/calico/resources/v3/projectcalico.org';
let etcd: PrivateEtcd;
let api: ApiProcess;
let client: ApiClient;
let store: Store;

before(async () => {
  etcd = await PrivateEtcd.start();
  api = await startApi(etcd.endpoint);
  client = api.client;
  const logger = { info: () => {}, warn: () => {} };
  const endpoints = [etcd.endpoint];
  store = openEtcd({ endpoints, clock: systemClock, logger, requestTimeoutMs: 60_000 });
  await untilReady(api);
});

after(async () => {
  store.close();
  await api.stop();
  await etcd.stop();
});

async function put(key: string, value: object | string): Promise<bigint> {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const operations = [{ kind: 'put', key, value: text } as const];
  const result = await store.commit({ compare: [], operations });
  return result.kind === 'committed' ? result.revision : 0n;
}

async function drop(...keys: string[]): Promise<void> {
  const operations = keys.map((key) => ({ kind: 'delete', key }) as const);
  await store.commit({ compare: [], operations });
}

async function mirror(): Promise<Record<string, unknown>> {
  const entry = await store.get('/calico/ipam/v2/config');
  return JSON.parse(entry?.value ?? '{}') as Record<string, unknown>;
}

function block(cidr: string, used: number): object {
  const allocations = Array.from({ length: 64 }, (_, n) => (n < used ? 0 : null));
  const unallocated = Array.from({ length: 64 - used }, (_, n) => n + used);
  const attributes = used > 0 ? [{ handle_id: 'net.c1', secondary: { pod: 'a' } }] : [];
  return { cidr, affinity: 'host:node1', allocations, unallocated, attributes, deleted: false };
}

test("a created resource lies under upstream's key, with identity and without resourceVersion", async () => {
  const { resource } = await client.create({ resource: pool('one', '10.1.0.0/16') });
  const entry = await store.get(`${ROOT}/ippools/one`);
  assert.ok(entry && resource);
  const stored = JSON.parse(entry.value);
  assert.equal(stored.metadata.resourceVersion, undefined);
  assert.match(stored.metadata.uid, /^[0-9a-f-]{36}$/);
  assert.match(stored.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(resource.revision, entry.modRevision);
  const answered = parsed(resource);
  assert.equal(answered.metadata['resourceVersion'], String(entry.modRevision));
  assert.equal(answered.spec['blockSize'], 26);
  const changed = pool('one', '10.1.0.0/16', { natOutgoing: true });
  const replaced = parsed((await client.replace({ resource: changed })).resource);
  assert.equal(replaced.metadata['uid'], stored.metadata.uid);
  assert.equal(replaced.metadata['creationTimestamp'], stored.metadata.creationTimestamp);
  const policy = document('NetworkPolicy', 'p', {}, { namespace: 'shop' });
  await client.create({ resource: { json: policy } });
  assert.ok(await store.get(`${ROOT}/networkpolicies/shop/p`));
  await client.delete({ key: { kind: 'IPPool', name: 'one' } });
  assert.equal(await store.get(`${ROOT}/ippools/one`), undefined);
});

test('a document that another calicoctl stored is read, and keeps its identity', async () => {
  const written = {
    kind: 'Node',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name: 'far', uid: 'abc', creationTimestamp: '2024-01-01T00:00:00Z' },
    spec: { bgp: { ipv4Address: '192.168.80.9/24' }, future: { field: 1 } },
  };
  const revision = await put(`${ROOT}/nodes/far`, written);
  const key = { kind: 'Node', name: 'far' };
  const read = parsed((await client.get({ key })).resource);
  assert.equal(read.metadata['resourceVersion'], String(revision));
  assert.deepEqual(read.spec['future'], { field: 1 });
  const node = document('Node', 'far', { bgp: { ipv4Address: '192.168.80.10/24' } });
  const applied = parsed((await client.apply({ resource: { json: node } })).resource);
  assert.equal(applied.metadata['uid'], 'abc');
  await client.delete({ key });
});

test('writes compare revisions: create once, replace what is current, apply what changed', async () => {
  const first = pool('two', '10.2.0.0/16');
  const { resource } = await client.create({ resource: first });
  await refuses(client.create({ resource: first }), 'ALREADY_EXISTS', /IPPool "two"/);
  await refuses(client.replace({ resource: pool('none', '10.9.0.0/16') }), 'NOT_FOUND');
  assert.equal((await client.apply({ resource: first })).changed, false);
  const renewed = {
    json: (resource?.json ?? '').replace('"natOutgoing":false', '"natOutgoing":true'),
  };
  assert.equal((await client.apply({ resource: renewed })).changed, true);
  await refuses(client.replace({ resource: renewed }), 'ABORTED', /resourceVersion/);
  const key = { kind: 'IPPool', name: 'two' };
  await refuses(client.delete({ key, revision: resource?.revision ?? 1n }), 'ABORTED');
  await refuses(client.delete({ key, uid: 'other' }), 'ABORTED');
  await client.delete({ key });
  await refuses(client.get({ key }), 'NOT_FOUND', /IPPool "two"/);
});

test('patches of many clients at once all arrive', async () => {
  await client.create({ resource: { json: document('GlobalNetworkSet', 'set', { nets: [] }) } });
  const key = { kind: 'GlobalNetworkSet', name: 'set' };
  const patches = Array.from({ length: 6 }, (_, n) =>
    client.patch({
      key,
      type: PatchType.MERGE,
      patch: JSON.stringify({ metadata: { labels: { [`l${n}`]: 'x' } } }),
    }),
  );
  await Promise.all(patches);
  const patch = '[{"op":"add","path":"/spec/nets/-","value":"10.0.0.0/8"}]';
  await client.patch({ key, type: PatchType.JSON, patch });
  await client.patch({
    key,
    type: PatchType.STRATEGIC,
    patch: '{"metadata":{"labels":{"l0":null}}}',
  });
  const { metadata, spec } = parsed((await client.get({ key })).resource);
  assert.deepEqual(Object.keys(metadata['labels'] as object).toSorted(), [
    'l1',
    'l2',
    'l3',
    'l4',
    'l5',
  ]);
  assert.deepEqual(spec['nets'], ['10.0.0.0/8']);
  const rename = '{"metadata":{"name":"other"}}';
  await refuses(client.patch({ key, type: PatchType.MERGE, patch: rename }), 'INVALID_ARGUMENT');
  await refuses(
    client.patch({ key, type: PatchType.MERGE, patch: '{' }),
    'INVALID_ARGUMENT',
    /JSON/,
  );
  await client.delete({ key });
});

test('pools do not overlap, also when they are created at once, and keep their block size', async () => {
  const rivals = await Promise.allSettled(
    ['10.3.0.0/16', '10.3.0.0/17', '10.3.0.0/24'].map((cidr, n) =>
      client.create({ resource: pool(`rival-${n}`, cidr) }),
    ),
  );
  assert.equal(rivals.filter(({ status }) => status === 'fulfilled').length, 1);
  const winner = `rival-${rivals.findIndex(({ status }) => status === 'fulfilled')}`;
  const wide = client.create({ resource: pool('wide', '10.0.0.0/8') });
  await refuses(wide, 'INVALID_ARGUMENT', /spec\.cidr.*overlaps/s);
  const key = { kind: 'IPPool', name: winner };
  const other = client.patch({ key, type: PatchType.MERGE, patch: '{"spec":{"blockSize":28}}' });
  await refuses(other, 'INVALID_ARGUMENT', /spec\.blockSize/);
  await client.delete({ key });
});

test('a pool with addresses in use is not deleted; its empty blocks go with it', async () => {
  await client.create({ resource: pool('busy', '10.4.0.0/16') });
  const blocks = '/calico/ipam/v2/assignment/ipv4/block';
  const affinities = '/calico/ipam/v2/host/node1/ipv4/block';
  await put(`${blocks}/10.4.0.0-26`, block('10.4.0.0/26', 1));
  await put(`${affinities}/10.4.0.0-26`, { state: 'confirmed' });
  const key = { kind: 'IPPool', name: 'busy' };
  await refuses(client.delete({ key }), 'FAILED_PRECONDITION', /in use.*10\.4\.0\.0\/26/s);
  await put(`${blocks}/10.4.0.0-26`, block('10.4.0.0/26', 0));
  await client.delete({ key });
  assert.deepEqual((await store.list(`${blocks}/10.4.`)).entries, []);
  assert.deepEqual((await store.list(`${affinities}/10.4.`)).entries, []);
});

test('tiers, the static profile and the cluster information are there and protected', async () => {
  for (const name of ['default', 'kube-admin', 'kube-baseline']) {
    const { spec } = parsed((await client.get({ key: { kind: 'Tier', name } })).resource);
    assert.equal(spec['defaultAction'], name === 'default' ? 'Deny' : 'Pass');
    await refuses(client.delete({ key: { kind: 'Tier', name } }), 'FAILED_PRECONDITION');
  }
  const profile = { kind: 'Profile', name: 'projectcalico-default-allow' };
  await refuses(client.delete({ key: profile }), 'FAILED_PRECONDITION');
  const own = document('Profile', profile.name, {});
  await refuses(client.apply({ resource: { json: own } }), 'FAILED_PRECONDITION');
  const information = { kind: 'ClusterInformation', name: 'default' };
  await refuses(client.delete({ key: information }), 'FAILED_PRECONDITION');
  const { clusterGuid, version } = await client.getVersion({});
  assert.match(clusterGuid, /^[0-9a-f-]{32,36}$/);
  assert.match(version, /^\d+\.\d+/);

  await client.create({ resource: { json: document('Tier', 'team', { order: 5 }) } });
  const inTier = document('GlobalNetworkPolicy', 'team.allow', { tier: 'team' });
  await client.create({ resource: { json: inTier } });
  const key = { kind: 'Tier', name: 'team' };
  await refuses(client.delete({ key }), 'FAILED_PRECONDITION', /team\.allow/);
  await client.delete({ key: { kind: 'GlobalNetworkPolicy', name: 'team.allow' } });
  await client.delete({ key });
  const lost = document('GlobalNetworkPolicy', 'lost.p', { tier: 'lost' });
  await refuses(client.create({ resource: { json: lost } }), 'INVALID_ARGUMENT', /spec\.tier/);
});

test("IPAM's records are read-only resources, settings are mirrored where upstream's IPAM reads", async () => {
  await put('/calico/ipam/v2/assignment/ipv4/block/10.5.0.64-26', block('10.5.0.64/26', 2));
  await put('/calico/ipam/v2/host/node-a/ipv4/block/10.5.0.64-26', '');
  const found = await client.get({ key: { kind: 'IPAMBlock', name: '10-5-0-64-26' } });
  assert.equal(parsed(found.resource).spec['cidr'], '10.5.0.64/26');
  const { resources } = await client.list({ kind: 'blockaffinities' });
  const mine = resources.find(({ name }) => name === 'node-a-10-5-0-64-26');
  assert.deepEqual(parsed(mine).spec['state'], 'confirmed');
  const key = { kind: 'IPAMBlock', name: '10-5-0-64-26' };
  await refuses(client.delete({ key }), 'FAILED_PRECONDITION');
  await refuses(client.patch({ key, type: PatchType.MERGE, patch: '{}' }), 'FAILED_PRECONDITION');
  await drop(
    '/calico/ipam/v2/assignment/ipv4/block/10.5.0.64-26',
    '/calico/ipam/v2/host/node-a/ipv4/block/10.5.0.64-26',
  );

  const settings = document('IPAMConfiguration', 'default', { strictAffinity: true });
  await client.apply({ resource: { json: settings } });
  assert.equal((await mirror())['strict_affinity'], true);
  await client.delete({ key: { kind: 'IPAMConfiguration', name: 'default' } });
  assert.notEqual((await mirror())['strict_affinity'], true, 'deleted settings hold no longer');
});

test('a list of everything that travels is paged, exact at one revision', async () => {
  await client.create({ resource: pool('paged', '10.6.0.0/16') });
  await put('/calico/ipam/v2/assignment/ipv4/block/10.6.0.0-26', block('10.6.0.0/26', 0));
  const names: string[] = [];
  const revisions = new Set<bigint>();
  let pageToken = '';
  do {
    const page = await client.list({ limit: 2, pageToken });
    assert.ok(page.resources.length <= 2);
    names.push(...page.resources.map(({ kind, name }) => `${kind}/${name}`));
    revisions.add(page.revision);
    pageToken = page.nextPageToken;
    await put(`${ROOT}/globalnetworksets/late-${names.length}`, { kind: 'GlobalNetworkSet' });
  } while (pageToken !== '');
  assert.equal(revisions.size, 1);
  assert.ok(names.includes('IPPool/paged') && names.includes('IPAMBlock/10-6-0-0-26'));
  assert.ok(names.includes('Tier/default'));
  assert.equal(new Set(names).size, names.length);
  assert.ok(!names.some((name) => name.includes('late-')));
  await refuses(client.list({ pageToken: 'nonsense' }), 'INVALID_ARGUMENT', /page_token/);
  await client.delete({ key: { kind: 'IPPool', name: 'paged' } });
});

type Change = WatchResponse['event'];

class Watching {
  readonly #stream: AsyncIterator<WatchResponse>;
  readonly #stop = new AbortController();

  constructor(request: { kind?: string; fromRevision?: bigint }) {
    const { signal } = this.#stop;
    this.#stream = client.watch(request, { signal })[Symbol.asyncIterator]();
  }

  async next(kind: Change['case']): Promise<Change> {
    for (;;) {
      const { value, done } = await this.#stream.next();
      assert.ok(!done, 'the watch ended');
      if (value.event.case === kind) return value.event;
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#stream.return?.().catch(() => {});
  }
}

test('a watch gives a snapshot, then every change, and can be resumed', async () => {
  await client.create({ resource: pool('seen', '10.7.0.0/16') });
  const watching = new Watching({ kind: 'IPPool' });
  const first = await watching.next('put');
  assert.equal(first.case === 'put' && first.value.name, 'seen');
  const bookmark = await watching.next('bookmark');
  const from = bookmark.case === 'bookmark' ? bookmark.value.revision : 0n;
  const { resource } = await client.apply({
    resource: pool('seen', '10.7.0.0/16', { disabled: true }),
  });
  const second = await watching.next('put');
  assert.equal(second.case === 'put' && second.value.revision, resource?.revision);
  await client.delete({ key: { kind: 'IPPool', name: 'seen' } });
  const third = await watching.next('removed');
  assert.equal(third.case === 'removed' && third.value.key?.name, 'seen');
  watching.stop();

  const resumed = new Watching({ fromRevision: from });
  const again = await resumed.next('put');
  assert.equal(again.case === 'put' && again.value.revision, resource?.revision);
  await resumed.next('removed');
  resumed.stop();
});

test('a watch from a compacted revision is OUT_OF_RANGE', async () => {
  const old = await put('/elsewhere', 'x');
  await put('/elsewhere', 'y');
  const raw = new Etcd3({ hosts: etcd.endpoint });
  await raw.kv.compact({ revision: String(await put('/elsewhere', 'z')) });
  raw.close();
  const watch = new Watching({ kind: 'IPPool', fromRevision: old });
  await refuses(watch.next('put'), 'OUT_OF_RANGE');
});

test('etcd halted: UNAVAILABLE soon, watches end; after its return everything works', async () => {
  const watching = new Watching({ kind: 'IPPool' });
  await watching.next('bookmark');
  const waiting = watching.next('put');
  waiting.catch(() => {});
  await etcd.halt();
  await refuses(waiting, 'UNAVAILABLE');
  // Not after the time that a call to etcd has.
  const soon = { timeoutMs: 40_000 };
  const key = { kind: 'IPPool', name: 'x' };
  const resource = pool('x', '10.8.0.0/16');
  await refuses(client.get({ key }, soon), 'UNAVAILABLE', /etcd/);
  await refuses(client.create({ resource }, soon), 'UNAVAILABLE');
  await etcd.run();
  let failure = '';
  // Not created: an attempt may take effect whose answer is lost.
  const isApplied = () =>
    client.apply({ resource }).then(
      () => true,
      (cause: unknown) => {
        failure = String(cause);
        return false;
      },
    );
  for (const end = performance.now() + 60_000; !(await isApplied()); ) {
    assert.ok(performance.now() < end, `api does not come back: ${failure}`);
    await systemClock.sleep(50);
  }
  await client.delete({ key });
  // Watches have a connection of their own, which comes back when it is tried again.
  for (const end = performance.now() + 60_000; ; ) {
    const again = new Watching({ kind: 'IPPool' });
    const isBack = await again.next('bookmark').then(
      () => true,
      () => false,
    );
    again.stop();
    if (isBack) break;
    assert.ok(performance.now() < end, 'watches do not come back');
    await systemClock.sleep(50);
  }
  assert.ok(api.alive());
});

test('api starts while etcd is away and is ready when it comes', async (t) => {
  const late = await PrivateEtcd.start();
  t.after(() => late.stop());
  await late.halt();
  const early = await startApi(late.endpoint);
  t.after(() => early.stop());
  const readiness = async (): Promise<number> =>
    (await fetch(`http://${early.http}/readiness`)).status;
  assert.equal(await readiness(), 503);
  await late.run();
  await untilReady(early);
  assert.equal(await readiness(), 200);
});
