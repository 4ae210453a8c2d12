// Whether every assigned address had an owner at every revision of an etcd: reads the whole history, plays
// it again and looks after each transaction. A program, to run where etcd is:
//
//   ETCD_ENDPOINTS=http://10.0.0.1:2379 node integration/ipam/ownership_history.ts
//
// Prints {"revisions", "looked", "faults"}.
import { systemClock } from '@calico/clock';
import { openEtcd, type WatchEvent } from '@calico/store';
import { silentLogger } from '@calico/telemetry';
import { ownershipFaults } from '../../services/ipam/core/ownership.ts';

const ROOT = '/calico/';
const CONCERNED = /^\/calico\/(ipam\/v2\/|resources\/v3\/projectcalico\.org\/workloadendpoints\/)/;
const MOST_FAULTS = 20;

const endpoints = (process.env['ETCD_ENDPOINTS'] ?? '').split(',');
const store = openEtcd({
  endpoints,
  clock: systemClock,
  logger: silentLogger,
  requestTimeoutMs: 60_000,
});
const { revision: last } = await store.list(ROOT, { limit: 1 });
const records = new Map<string, string>();
const faults: string[] = [];
let looked = 0;
const over = new AbortController();
// Every key: the last revision may be of another one.
for await (const { events, revision } of store.watch('', 1n, over.signal)) {
  for (const transaction of Map.groupBy(events, revisionOf).values()) play(transaction);
  if (revision >= last) break;
}
over.abort();
store.close();
console.log(JSON.stringify({ revisions: Number(last), looked, faults }));

function play(transaction: readonly WatchEvent[]): void {
  for (const event of transaction) {
    if (!keyOf(event).startsWith(ROOT)) continue;
    if (event.kind === 'put') records.set(event.entry.key, event.entry.value);
    else records.delete(event.key);
  }
  if (faults.length >= MOST_FAULTS || !transaction.some((event) => CONCERNED.test(keyOf(event)))) {
    return;
  }
  looked++;
  const [event] = transaction;
  const at = event === undefined ? 0n : revisionOf(event);
  faults.push(...ownershipFaults(records).map((fault) => `at revision ${at}: ${fault}`));
}

function revisionOf(event: WatchEvent): bigint {
  return event.kind === 'put' ? event.entry.modRevision : event.revision;
}

function keyOf(event: WatchEvent): string {
  return event.kind === 'put' ? event.entry.key : event.key;
}
