import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { ResourceEventSchema } from '@calico/proto/events/v1/events';
import * as fc from 'fast-check';
import { MessageError } from './errors.ts';
import { decodeNodeReport, encodeNodeReport } from './node_report.ts';
import {
  decodeResourceEvent,
  decodeSynced,
  encodeResourceEvent,
  encodeSynced,
} from './resource_message.ts';
import { resourceSubject } from './subjects.ts';

const POOL = { kind: 'IPPool', namespace: '', name: 'default' } as const;
const SUBJECT = resourceSubject(POOL);
const PUT = encodeResourceEvent(
  create(ResourceEventSchema, {
    event: { case: 'put', value: { ...POOL, revision: 7n, json: '{}' } },
  }),
);
const REMOVED = encodeResourceEvent(
  create(ResourceEventSchema, { event: { case: 'removed', value: { key: POOL, revision: 9n } } }),
);
const APPLIED = encodeNodeReport('n1', 'applied', { component: 'bgp', revision: 5n }, 1_000);
const SYNCED = encodeSynced({ revision: 12n, etcdClusterId: 'cafe' });

test('decodeResourceEvent() reads a put and a removal', () => {
  const put = decodeResourceEvent(SUBJECT, PUT);
  assert.equal(put.kind, 'put');
  assert.equal(put.revision, 7n);
  assert.deepEqual(put.key, POOL);
  const removed = decodeResourceEvent(SUBJECT, REMOVED);
  assert.deepEqual(removed, { kind: 'removed', key: POOL, node: undefined, revision: 9n });
});

test('decodeResourceEvent() refuses a message of another resource', () => {
  const other = resourceSubject({ ...POOL, name: 'other' });
  assert.throws(() => decodeResourceEvent(other, PUT), MessageError);
  assert.throws(() => decodeResourceEvent(other, REMOVED), MessageError);
});

test('decodeResourceEvent() refuses an event without content or revision', () => {
  const empty = encodeResourceEvent(create(ResourceEventSchema));
  const noKey = encodeResourceEvent(
    create(ResourceEventSchema, { event: { case: 'removed', value: { revision: 1n } } }),
  );
  const noRevision = encodeResourceEvent(
    create(ResourceEventSchema, { event: { case: 'put', value: { ...POOL, json: '{}' } } }),
  );
  for (const data of [empty, noKey, noRevision]) {
    assert.throws(() => decodeResourceEvent(SUBJECT, data), MessageError);
  }
});

test('decodeSynced() reads the marker and refuses an empty one; revision 0 promises nothing', () => {
  assert.deepEqual(decodeSynced(SYNCED), { revision: 12n, etcdClusterId: 'cafe' });
  const filling = encodeSynced({ revision: 0n, etcdClusterId: 'cafe' });
  assert.equal(decodeSynced(filling), undefined);
  assert.throws(() => decodeSynced(new Uint8Array()), MessageError);
});

test('decodeNodeReport() reads what encodeNodeReport() writes', () => {
  const report = decodeNodeReport(APPLIED.subject, APPLIED.data, 2_000);
  assert.equal(report.topic, 'applied');
  assert.equal(report.node, 'n1');
  assert.equal(report.component, 'bgp');
  assert.equal(report.receivedAt, 2_000);
  assert.equal(report.message.node, 'n1');
  assert.equal(report.message.time?.seconds, 1n);
});

test('decodeNodeReport() refuses the report of another node or component', () => {
  const peers = encodeNodeReport('n1', 'peers', { peers: [] }, 0);
  assert.throws(() => decodeNodeReport('calico.node.n2.peers', peers.data, 0), MessageError);
  assert.throws(
    () => decodeNodeReport('calico.node.n1.applied.felix', APPLIED.data, 0),
    MessageError,
  );
});

test('decodeNodeReport() takes the endpoints of a felix that does not divide them for one part', () => {
  const { data } = encodeNodeReport('n1', 'endpoints', { part: 0, endpoints: [{ name: 'a' }] }, 0);
  const report = decodeNodeReport('calico.node.n1.endpoints', data, 0);
  assert.ok(report.topic === 'endpoints');
  assert.deepEqual([report.message.part, report.message.parts], [0, 1]);
});

test('decodeNodeReport() refuses a part of endpoints that their division does not have', () => {
  for (const [part, parts] of [
    [1, 0],
    [2, 2],
    [5, 2],
  ] as const) {
    const { subject, data } = encodeNodeReport('n1', 'endpoints', { part, parts }, 0);
    assert.throws(
      () => decodeNodeReport(subject, data, 0),
      new MessageError(
        `Cannot read "${subject}": part is ${part}, expected 0 to ${Math.max(parts, 1) - 1}`,
      ),
    );
  }
});

function onlyMessageError(decode: () => unknown): void {
  try {
    decode();
  } catch (cause) {
    assert.ok(cause instanceof MessageError, String(cause));
  }
}

test('decoders answer or throw MessageError for arbitrary bytes', () => {
  const valid = [PUT, REMOVED, SYNCED, APPLIED.data];
  const damaged = fc
    .tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(255), fc.nat())
    .map(([bytes, at, value, length]) => {
      const copy = bytes.slice(0, length % (bytes.length + 1));
      if (copy.length > 0) copy[at % copy.length] = value;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), damaged), (data) => {
      onlyMessageError(() => decodeResourceEvent(SUBJECT, data));
      onlyMessageError(() => decodeResourceEvent('calico.resource.nonsense', data));
      onlyMessageError(() => decodeSynced(data));
      for (const topic of ['peers', 'endpoints.0', 'health.felix', 'applied.bgp', 'nonsense']) {
        onlyMessageError(() => decodeNodeReport(`calico.node.n1.${topic}`, data, 0));
      }
    }),
    { numRuns: 5_000 },
  );
});

test('decoders throw MessageError or answer for every truncation', () => {
  for (const bytes of [PUT, REMOVED]) {
    for (let length = 0; length < bytes.length; length++) {
      onlyMessageError(() => decodeResourceEvent(SUBJECT, bytes.slice(0, length)));
    }
  }
});
