// The service on a store in memory, and documents to send to it; for tests.
import assert from 'node:assert/strict';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { FakeClock } from '@calico/clock';
import { RpcError } from '@calico/rpc';
import { MemoryStore } from '@calico/store';
import { HealthRegistry, silentLogger } from '@calico/telemetry';
import { writeBuiltIns } from './built_in_writer.ts';
import { createHandlers } from './grpc_handlers.ts';
import { ResourceReader } from './resource_reader.ts';
import { ResourceWriter } from './resource_writer.ts';

export const context = { peer: 'test', signal: new AbortController().signal };

export async function service() {
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

export const POOL_ONE = '/calico/resources/v3/projectcalico.org/ippools/one';

export const pool = (name: string, cidr: string, spec: object = {}, metadata: object = {}) =>
  document('IPPool', { name, ...metadata }, { cidr, ...spec });

export function document(kind: string, metadata: object, spec: object) {
  return { json: JSON.stringify({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec }) };
}

export function message<S extends DescMessage>(schema: S, init: MessageInitShape<S>) {
  return create(schema, init);
}

export const isCode =
  (code: string, pattern = /./) =>
  (cause: unknown) => {
    assert.ok(cause instanceof RpcError, String(cause));
    assert.equal(cause.code, code, cause.message);
    assert.match(cause.message, pattern);
    return true;
  };

export function uid(json = '{}'): string {
  return (JSON.parse(json) as { metadata: { uid: string } }).metadata.uid;
}

/** An IPAM block of 64 addresses, the first in use or none. */
export function block(cidr: string, used: boolean): string {
  return JSON.stringify({
    cidr,
    affinity: 'host:n1',
    allocations: [used ? 0 : null, ...Array.from({ length: 63 }, () => null)],
    unallocated: Array.from({ length: used ? 63 : 64 }, (_, index) => index + (used ? 1 : 0)),
    attributes: used ? [{ handle_id: 'h' }] : [],
  });
}
