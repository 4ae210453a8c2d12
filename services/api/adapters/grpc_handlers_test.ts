import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ApplyRequestSchema,
  CreateRequestSchema,
  DeleteRequestSchema,
  GetRequestSchema,
  ListRequestSchema,
  PatchRequestSchema,
  PatchType,
  ReplaceRequestSchema,
  ValidateRequestSchema,
  WatchRequestSchema,
} from '@calico/proto/api/v1/resources';
import { RpcError } from '@calico/rpc';
import * as fc from 'fast-check';
import { context, document, isCode, message, pool, service, uid } from './memory_api.ts';

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
    isCode(
      'INVALID_ARGUMENT',
      /IPPool "one": operation 0 \{"op":"remove","path":"\/spec\/missing"\}: Cannot perform/,
    ),
  );
  for (const wrong of [{ spec: {} }, [1], [{ op: 'toggle', path: '/spec' }], [{ op: 'add' }]]) {
    await assert.rejects(
      patch(PatchType.JSON, wrong),
      isCode('INVALID_ARGUMENT', /IPPool "one": /),
    );
  }
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
