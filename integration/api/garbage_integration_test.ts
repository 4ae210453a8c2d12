// Garbage on every method: a clear refusal, nothing written, the process lives.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { DescMethod } from '@bufbuild/protobuf';
import { systemClock } from '@calico/clock';
import { KINDS } from '@calico/model';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { openEtcd, type Store } from '@calico/store';
import { Client, credentials, status } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { PrivateEtcd } from '../store/private_etcd.ts';
import { type ApiProcess, startApi, untilReady } from './api_process.ts';

let etcd: PrivateEtcd;
let api: ApiProcess;
let store: Store;
let raw: Client;

before(async () => {
  etcd = await PrivateEtcd.start();
  api = await startApi(etcd.endpoint);
  const logger = { info: () => {}, warn: () => {} };
  const endpoints = [etcd.endpoint];
  store = openEtcd({ endpoints, clock: systemClock, logger, requestTimeoutMs: 60_000 });
  raw = new Client(api.address, credentials.createInsecure());
  await untilReady(api);
});

after(async () => {
  raw.close();
  store.close();
  await api.stop();
  await etcd.stop();
});

const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Sends bytes to a method; answers the status code. Streams are left after their first message, or
 * when they stay quiet: bytes may well be a valid watch that has nothing to say.
 */
function send(method: DescMethod, bytes: Uint8Array): Promise<number> {
  const path = `/${method.parent.typeName}/${method.name}`;
  const request = Buffer.from(bytes);
  return new Promise((resolve) => {
    if (method.methodKind === 'unary') {
      raw.makeUnaryRequest(path, asIs, asIs, request, { deadline: Date.now() + 90_000 }, (error) =>
        resolve(error?.code ?? status.OK),
      );
      return;
    }
    const call = raw.makeServerStreamRequest(path, asIs, asIs, request, {
      deadline: Date.now() + 300,
    });
    call.on('error', ({ code }: { code: status }) =>
      resolve(code === status.DEADLINE_EXCEEDED ? status.OK : code),
    );
    call.on('end', () => resolve(status.OK));
    call.once('data', () => {
      resolve(status.OK);
      call.cancel();
    });
  });
}

async function stored(): Promise<string> {
  const { entries } = await store.list('/calico');
  return entries
    .filter(({ key }) => !key.startsWith('/calico-relay/'))
    .map(({ key, modRevision }) => `${key}@${modRevision}`)
    .join('\n');
}

const FAULTS = new Set<number>([
  status.INTERNAL,
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNAVAILABLE,
]);

async function unharmed(was: string): Promise<void> {
  assert.equal(await stored(), was, 'something was written');
  assert.ok(api.alive(), api.log());
  assert.doesNotMatch(api.log(), /call failed|fault of this program/);
}

test('arbitrary bytes', async () => {
  const start = await stored();
  for (const method of ResourceService.methods) {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
        const code = await send(method, bytes);
        assert.ok(!FAULTS.has(code), `${method.name}: code ${code}`);
      }),
      { numRuns: 60 },
    );
  }
  await unharmed(start);
});

const kind = fc.oneof(
  fc.constantFrom(...Object.keys(KINDS)),
  fc.string(),
  fc.constant('__proto__'),
);
const name = fc.oneof(
  fc.constantFrom('default', 'a', '..', 'a/b', ''),
  fc.string({ unit: 'binary' }),
);
const key = fc.record({ kind, namespace: name, name });
const uint64 = fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n), fc.constantFrom(2n ** 63n, 2n ** 64n - 1n));

/** Documents that are wrong somewhere: their apiVersion never is ours. */
const document = fc.oneof(
  fc.string(),
  fc.json(),
  fc
    .record({
      apiVersion: fc.oneof(fc.constant('projectcalico.org/v2'), fc.jsonValue()),
      kind,
      metadata: fc.oneof(
        fc.record({ name, namespace: name, labels: fc.jsonValue() }),
        fc.jsonValue(),
      ),
      spec: fc.jsonValue(),
    })
    .map((value) => JSON.stringify(value)),
);
const resource = fc.record({ kind, namespace: name, name, revision: uint64, json: document });

async function outcome(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'OK',
    (error: { code: string }) => error.code,
  );
}

async function first(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream) return;
}

test('messages of the right shape that mean nothing', async () => {
  const start = await stored();
  const { client } = api;
  const faults = ['INTERNAL', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'];
  const calls: Record<string, (given: Given) => Promise<unknown>> = {
    get: (given) => client.get({ key: given.key }),
    list: ({ key: { kind: of, namespace }, text, number }) =>
      client.list({ kind: of, namespace, limit: number, pageToken: text }),
    watch: ({ key: { kind: of, namespace }, revision }) =>
      first(client.watch({ kind: of, namespace, fromRevision: revision }, { timeoutMs: 150 })),
    create: (given) => client.create({ resource: given.resource }),
    replace: (given) => client.replace({ resource: given.resource }),
    apply: (given) => client.apply({ resource: given.resource }),
    validate: (given) => client.validate({ resource: given.resource }),
    patch: ({ key: of, number, text }) =>
      client.patch({ key: of, type: (number % 5) as 0, patch: text }),
    delete: ({ key: of, text }) =>
      client.delete({ key: of, revision: 2n ** 62n, uid: `not ${text}` }),
  };
  const given = fc.record({
    key,
    resource,
    text: fc.oneof(fc.string(), fc.json(), fc.constantFrom('[]', '[{"op":"test"}]', 'null')),
    number: fc.nat(),
    revision: uint64,
  });
  type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;
  for (const [method, call] of Object.entries(calls)) {
    await fc.assert(
      fc.asyncProperty(given, async (value) => {
        const code = await outcome(call(value));
        // A watch that has nothing to say runs into its deadline.
        if (method === 'watch' && code === 'DEADLINE_EXCEEDED') return;
        assert.ok(!faults.includes(code), `${method}: ${code}`);
      }),
      { numRuns: method === 'watch' ? 40 : 150 },
    );
  }
  await unharmed(start);
});

test('an empty message to every method', async () => {
  const start = await stored();
  for (const method of ResourceService.methods) {
    const code = await send(method, new Uint8Array());
    const fine = ['List', 'Watch', 'GetVersion'].includes(method.name);
    assert.equal(code, fine ? status.OK : status.INVALID_ARGUMENT, method.name);
  }
  await unharmed(start);
});
