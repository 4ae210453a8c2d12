// etcd's key-value pairs as this package's entries.
import type { IEvent, IKeyValue } from 'etcd3';
import type { Entry, WatchBatch, WatchEvent } from './store.ts';

function toEntry({ key, value, mod_revision, create_revision }: IKeyValue): Entry {
  return {
    key: key.toString('utf8'),
    value: value.toString('utf8'),
    modRevision: BigInt(mod_revision),
    createRevision: BigInt(create_revision),
  };
}

export function toBytes(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

/** The first key after all that start with `prefix`; a zero byte (no end) for the empty prefix. */
export function prefixEnd(prefix: string): Buffer {
  const bytes = toBytes(prefix);
  for (let index = bytes.length - 1; index >= 0; index--) {
    const byte = bytes[index] ?? 0;
    if (byte < 0xff) return Buffer.concat([bytes.subarray(0, index), Buffer.of(byte + 1)]);
  }
  return Buffer.of(0);
}

/** One batch per revision, in order. etcd never splits a revision over two answers. */
export function toBatches(events: readonly IEvent[]): WatchBatch[] {
  const batches: { revision: bigint; events: WatchEvent[] }[] = [];
  for (const { type, kv } of events) {
    const revision = BigInt(kv.mod_revision);
    const event: WatchEvent =
      type === 'Put'
        ? { kind: 'put', entry: toEntry(kv) }
        : { kind: 'delete', key: kv.key.toString('utf8'), revision };
    const last = batches.at(-1);
    if (last?.revision === revision) last.events.push(event);
    else batches.push({ revision, events: [event] });
  }
  return batches;
}
