// AutoAssign per second through gRPC against raw etcd transactions per second: in one run, in turns of a
// quarter of a second, so that whatever else the machine does falls on both.
//
//   node integration/bench/ipam.ts [--seconds 6] [--concurrency 1,8,64] [--warm-up 8] [--pairs 0]
//
// A raw transaction is made by the client that ipam itself uses, in the process that also calls ipam: one
// of 2 kB, and one that compares and writes as much as a lone assignment. Ratios are of slices that follow
// each other: their median and the best. With --pairs, so many assign/release pairs instead, with the
// memory of the ipam process over time.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Transaction } from '@calico/store';
import { type Ipam, IpamFixture } from '../ipam/fixture.ts';
import { percentile } from './figures.ts';
import { HEAP_REPORT, runPairs } from './ipam_memory.ts';
import { Meter } from './meter.ts';
import { likeAssignment, smallTransaction } from './raw_transactions.ts';

const NODES = 8;
const SLICE_MS = 250;
/** Addresses that are held at once while assignments are measured; a node may hold 1,280. */
const MOST_HELD = 2048;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    concurrency: { type: 'string', default: '1,8,64' },
    'warm-up': { type: 'string', default: '8' },
    pairs: { type: 'string', default: '0' },
  },
});

const count = Number(values.pairs);
/** A million pairs write more versions of blocks than etcd's quota holds. */
const COMPACTION = [
  '--auto-compaction-mode=revision',
  '--auto-compaction-retention=5000',
  '--quota-backend-bytes=8589934592',
];
const fixture = await IpamFixture.start(count > 0 ? COMPACTION : []);
try {
  await fixture.putPool('bench', { cidr: '10.0.0.0/12', blockSize: 26 });
  const ipam = await fixture.startService(count > 0 ? [HEAP_REPORT] : []);
  if (count > 0) {
    await runPairs(fixture, ipam, count);
  } else {
    // A service runs for days: what its first seconds cost (compilation) is not what is asked for.
    await compare(ipam, 64, Number(values['warm-up']) * 1000);
    for (const concurrency of values.concurrency.split(',').map(Number)) {
      report(concurrency, await compare(ipam, concurrency, Number(values.seconds) * 1000));
    }
    console.log(`ipam memory: ${fixture.memory().toFixed(0)} MiB`);
  }
} finally {
  await fixture.stop();
}

type Meters = Readonly<Record<'small' | 'alike' | 'assign' | 'release', Meter>>;

/** Raw transactions of both sizes, assignments and releases in turns, until the time is over. */
async function compare(ipam: Ipam, concurrency: number, limitMs: number): Promise<Meters> {
  const pids = { ipam: fixture.pid(), etcd: fixture.etcdPid() };
  const small = new Meter(pids);
  const alike = new Meter(pids);
  const assign = new Meter(pids);
  const release = new Meter(pids);
  const start = performance.now();
  do {
    const handles: string[] = [];
    await assign.run(concurrency, MOST_HELD, SLICE_MS, async (loop) => {
      const handleId = `k8s-pod-network.${randomBytes(16).toString('hex')}`;
      const node = `node-${loop % NODES}`;
      const attributes = { pod: `pod-${handles.length}`, namespace: 'default', node };
      await ipam.autoAssign({ node, handleId, ipv4Count: 1, attributes });
      handles.push(handleId);
    });
    const likeOne = await likeAssignment(fixture.store, 'node-0');
    const { length } = handles;
    await release.run(concurrency, length, Number.POSITIVE_INFINITY, async () => {
      await ipam.releaseByHandle({ handleId: handles.pop() ?? '' });
    });
    await small.run(concurrency, Number.POSITIVE_INFINITY, SLICE_MS, () => raw(smallTransaction()));
    await alike.run(concurrency, Number.POSITIVE_INFINITY, SLICE_MS, () => raw(likeOne()));
  } while (performance.now() - start < limitMs);
  return { small, alike, assign, release };
}

async function raw(transaction: Transaction): Promise<void> {
  const { kind } = await fixture.store.commit(transaction);
  if (kind !== 'committed') throw new Error('a raw transaction lost a race');
}

function report(concurrency: number, meters: Meters): void {
  const { small, alike, assign, release } = meters;
  row([
    `concurrency ${concurrency}`,
    'per s',
    'p50 ms',
    'client',
    'ipam',
    'etcd',
    'sum (CPU µs each)',
  ]);
  show('raw transaction, 2 kB', small);
  show('raw transaction like an assignment', alike);
  show('AutoAssign', assign);
  show('ReleaseByHandle', release);
  for (const [what, other] of [
    ['2 kB', small],
    ['alike', alike],
  ] as const) {
    const pairs = assign.slices.map(
      (slice, index) => [slice, other.slices[index] ?? slice] as const,
    );
    const rates = pairs.map(([one, by]) => one.perSecond / by.perSecond);
    const times = pairs.map(([one, by]) => one.p50Ms / by.p50Ms);
    console.log(
      `  AutoAssign : raw, ${what}: per s ${percentile(rates, 50).toFixed(2)} (best ${Math.max(...rates).toFixed(2)}), p50 ${percentile(times, 50).toFixed(2)} (best ${Math.min(...times).toFixed(2)}), CPU ${(sumOf(assign) / sumOf(other)).toFixed(2)}`,
    );
  }
}

function show(what: string, meter: Meter): void {
  const { client, ipam, etcd } = meter.cpuMicros;
  const cpu = [client, ipam, etcd, sumOf(meter)].map((micros) => micros.toFixed(0));
  row([`  ${what}`, meter.perSecond.toFixed(0), meter.p50Ms.toFixed(2), ...cpu]);
}

function sumOf({ cpuMicros: { client, ipam, etcd } }: Meter): number {
  return client + ipam + etcd;
}

function row([what = '', ...cells]: readonly string[]): void {
  console.log(what.padEnd(36) + cells.map((cell) => cell.padStart(8)).join(''));
}
