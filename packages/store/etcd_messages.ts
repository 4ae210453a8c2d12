// The messages of etcd's KV service that this package uses, as bytes.
// https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto
import { prefixEnd } from './etcd_entry.ts';
import { FieldReader, FieldWriter } from './protobuf_fields.ts';
import type { Entry, Listing, Operation, Transaction, TransactionResult } from './store.ts';

/** Compare.CompareResult and CompareTarget. */
const LESS = 2;
const MOD = 2;

export type Range = {
  readonly key: string;
  /** Undefined: this key alone. */
  readonly end?: Uint8Array;
  readonly limit?: number;
  readonly revision?: bigint | undefined;
  readonly countOnly?: true;
};

/** RangeRequest. */
export function rangeRequest(range: Range): Uint8Array {
  const out = new FieldWriter();
  writeRange(out, range);
  return out.bytes;
}

export type RangeAnswer = Listing & { readonly clusterId: bigint };

/** RangeResponse. */
export function readRange(bytes: Uint8Array): RangeAnswer {
  const entries: Entry[] = [];
  let header = { clusterId: 0n, revision: 0n };
  let more = false;
  for (const input = new FieldReader(bytes); input.next(); ) {
    if (input.field === 1) header = readHeader(input.message());
    else if (input.field === 2) entries.push(readKeyValue(input.message()));
    else if (input.field === 3) more = input.boolean();
    else input.skip();
  }
  return { ...header, entries, more };
}

/** TxnRequest. When a comparison fails every compared key is read. */
export function txnRequest(transaction: Transaction): Uint8Array {
  const { compare, unchanged = [], operations } = transaction;
  const out = new FieldWriter();
  for (const { key } of compare.toReversed()) {
    out.message(3, () => out.message(1, () => writeRange(out, { key })));
  }
  for (const operation of operations.toReversed()) {
    out.message(2, () => writeOperation(out, operation));
  }
  for (const { prefix, since } of unchanged.toReversed()) {
    out.message(1, () => {
      // Holds when every key of the range has an older revision; also for an empty range.
      out.raw(64, prefixEnd(prefix));
      out.number(6, since + 1n);
      out.text(3, prefix);
      out.number(2, MOD);
      out.number(1, LESS);
    });
  }
  for (const { key, modRevision } of compare.toReversed()) {
    out.message(1, () => {
      out.number(6, modRevision);
      out.text(3, key);
      out.number(2, MOD);
    });
  }
  return out.bytes;
}

/** TxnResponse. */
export function readTxn(bytes: Uint8Array): TransactionResult {
  let succeeded = false;
  let revision = 0n;
  const current = new Map<string, Entry>();
  for (const input = new FieldReader(bytes); input.next(); ) {
    if (input.field === 1) revision = readHeader(input.message()).revision;
    else if (input.field === 2) succeeded = input.boolean();
    else if (input.field === 3) readFound(input.message(), current);
    else input.skip();
  }
  return succeeded ? { kind: 'committed', revision } : { kind: 'conflict', current };
}

function writeRange(out: FieldWriter, { key, end, limit, revision, countOnly }: Range): void {
  if (countOnly) out.number(9, 1);
  if (revision !== undefined) out.number(4, revision);
  if (limit !== undefined) out.number(3, limit);
  if (end !== undefined) out.raw(2, end);
  out.text(1, key);
}

function writeOperation(out: FieldWriter, operation: Operation): void {
  if (operation.kind === 'delete') {
    out.message(3, () => out.text(1, operation.key));
    return;
  }
  out.message(2, () => {
    if (operation.lease !== undefined) out.number(3, BigInt(operation.lease.id));
    out.text(2, operation.value);
    out.text(1, operation.key);
  });
}

/** ResponseOp: of those that answer a range the entries. */
function readFound(input: FieldReader, current: Map<string, Entry>): void {
  while (input.next()) {
    if (input.field !== 1) {
      input.skip();
      continue;
    }
    for (const range = input.message(); range.next(); ) {
      if (range.field !== 2) {
        range.skip();
        continue;
      }
      const entry = readKeyValue(range.message());
      current.set(entry.key, entry);
    }
  }
}

function readHeader(input: FieldReader): { clusterId: bigint; revision: bigint } {
  let clusterId = 0n;
  let revision = 0n;
  while (input.next()) {
    if (input.field === 1) clusterId = input.bigint();
    else if (input.field === 3) revision = input.bigint();
    else input.skip();
  }
  return { clusterId, revision };
}

function readKeyValue(input: FieldReader): Entry {
  let key = '';
  let value = '';
  let createRevision = 0n;
  let modRevision = 0n;
  while (input.next()) {
    if (input.field === 1) key = input.text();
    else if (input.field === 2) createRevision = input.bigint();
    else if (input.field === 3) modRevision = input.bigint();
    else if (input.field === 5) value = input.text();
    else input.skip();
  }
  return { key, value, modRevision, createRevision };
}
