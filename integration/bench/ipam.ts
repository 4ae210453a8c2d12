// AutoAssign per second through gRPC against raw etcd transactions per second, in one run, interleaved.
//
//   node integration/bench/ipam.ts [--seconds 2] [--rounds 3] [--pairs 0]
//
// With --pairs, afterwards so many assign/release pairs, with the memory of the ipam process over time.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Ipam, IpamFixture } from '../ipam/fixture.ts';
import { percentile } from './figures.ts';

const NODES = 8;
const CONCURRENCY = [1, 8, 64] as const;
/** Addresses that are held at once while assignments are measured; a node may hold 1,280. */
const HELD = 2048;

type Sample = { readonly perSecond: number; readonly p50Ms: number };

/** Does one thing; answers nothing. */
type Work = (loop: number) => Promise<void>;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    pairs: { type: 'string', default: '0' },
  },
});
const durationMs = Number(values.seconds) * 1000;

const fixture = await IpamFixture.start();
try {
  await fixture.putPool('bench', { cidr: '10.0.0.0/12', blockSize: 26 });
  const ipam = await fixture.startService();
  await assignPhases(ipam, 64, 1000); // compile first
  await measure(64, 4096, 1000, rawTransaction);
  console.log(
    'concurrency  raw txn/s  p50 ms  AutoAssign/s  p50 ms  ratio  p50 ratio  ReleaseByHandle/s',
  );
  for (const concurrency of CONCURRENCY) {
    const raw: Sample[] = [];
    const assign: Sample[] = [];
    const release: Sample[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      raw.push(await measure(concurrency, Number.POSITIVE_INFINITY, durationMs, rawTransaction));
      const phases = await assignPhases(ipam, concurrency, durationMs);
      assign.push(phases.assign);
      release.push(phases.release);
    }
    report(concurrency, median(raw), median(assign), median(release));
  }
  console.log(`ipam memory: ${fixture.memory().toFixed(0)} MiB`);
  await pairs(ipam, Number(values.pairs));
} finally {
  await fixture.stop();
}

/** Works with `concurrency` loops until `most` are done or the time is over. */
async function measure(
  concurrency: number,
  most: number,
  limitMs: number,
  work: Work,
): Promise<Sample & { readonly count: number }> {
  const times: number[] = [];
  let started = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async (_, loop) => {
      while (started < most && performance.now() - start < limitMs) {
        started++;
        const before = performance.now();
        await work(loop);
        times.push(performance.now() - before);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  return {
    perSecond: times.length / seconds,
    p50Ms: percentile(times, 50),
    count: times.length,
  };
}

/** Assigns until HELD addresses are held, releases them, and so on; both are measured apart. */
async function assignPhases(
  ipam: Ipam,
  concurrency: number,
  limitMs: number,
): Promise<{ assign: Sample; release: Sample }> {
  const assigns: (Sample & { count: number })[] = [];
  const releases: Sample[] = [];
  let left = limitMs;
  while (left > 0) {
    const handles: string[] = [];
    const phase = await measure(concurrency, HELD, left, async (loop) => {
      const handleId = `k8s-pod-network.${randomBytes(16).toString('hex')}`;
      const node = `node-${loop % NODES}`;
      const attributes = { pod: `pod-${handles.length}`, namespace: 'default', node };
      await ipam.autoAssign({ node, handleId, ipv4Count: 1, attributes });
      handles.push(handleId);
    });
    assigns.push(phase);
    left -= (phase.count / phase.perSecond) * 1000;
    const pending = [...handles];
    releases.push(
      await measure(concurrency, pending.length, Number.POSITIVE_INFINITY, async () => {
        await ipam.releaseByHandle({ handleId: pending.pop() ?? '' });
      }),
    );
  }
  return { assign: median(assigns), release: median(releases) };
}

/** A transaction of the size of an assignment: a block and a handle, both compared. */
async function rawTransaction(): Promise<void> {
  const suffix = randomBytes(16).toString('hex');
  const handle = `/bench/handle/k8s-pod-network.${suffix}`;
  const block = `/bench/block/10.0.0.0-26-${suffix}`;
  await fixture.store.commit({
    compare: [
      { key: block, modRevision: 0n },
      { key: handle, modRevision: 0n },
    ],
    operations: [
      { kind: 'put', key: block, value: 'x'.repeat(2000) },
      { kind: 'put', key: handle, value: 'x'.repeat(120) },
    ],
  });
}

/** Memory over many assignments and releases. */
async function pairs(ipam: Ipam, count: number): Promise<void> {
  let done = 0;
  let reported = 0;
  await measure(64, count, Number.POSITIVE_INFINITY, async (loop) => {
    const handleId = `k8s-pod-network.${randomBytes(16).toString('hex')}`;
    await ipam.autoAssign({ node: `node-${loop % NODES}`, handleId, ipv4Count: 1 });
    await ipam.releaseByHandle({ handleId });
    done++;
    if (done < reported + count / 10) return;
    reported = done;
    console.log(`${done} pairs: ipam memory ${fixture.memory().toFixed(0)} MiB`);
  });
}

function median(samples: readonly Sample[]): Sample {
  const sorted = samples.toSorted((a, b) => a.perSecond - b.perSecond);
  return sorted[Math.floor(sorted.length / 2)] ?? { perSecond: 0, p50Ms: 0 };
}

function report(concurrency: number, raw: Sample, assign: Sample, release: Sample): void {
  const cells = [
    [String(concurrency), 11],
    [raw.perSecond.toFixed(0), 9],
    [raw.p50Ms.toFixed(2), 6],
    [assign.perSecond.toFixed(0), 12],
    [assign.p50Ms.toFixed(2), 6],
    [(assign.perSecond / raw.perSecond).toFixed(2), 5],
    [(assign.p50Ms / raw.p50Ms).toFixed(2), 9],
    [release.perSecond.toFixed(0), 17],
  ] as const;
  console.log(cells.map(([text, width]) => text.padStart(width)).join('  '));
}
