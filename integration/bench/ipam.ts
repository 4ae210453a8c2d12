// AutoAssign per second through gRPC against raw etcd transactions per second, in one run, interleaved.
//
//   node integration/bench/ipam.ts [--seconds 2] [--rounds 3]
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Ipam, IpamFixture } from '../ipam/fixture.ts';

const NODES = 8;
const CONCURRENCY = [1, 8, 64] as const;

type Sample = { readonly perSecond: number; readonly p50Ms: number };

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
  },
});
const durationMs = Number(values.seconds) * 1000;

const fixture = await IpamFixture.start();
try {
  await fixture.putPool('bench', { cidr: '10.0.0.0/12', blockSize: 26 });
  const ipam = await fixture.startService();
  await measure(8, 500, assignAndRelease(ipam)); // compile first
  console.log('concurrency  raw txn/s  p50 ms  AutoAssign/s  p50 ms  ratio  p50 ratio');
  for (const concurrency of CONCURRENCY) {
    const raw: Sample[] = [];
    const assign: Sample[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      raw.push(await measure(concurrency, durationMs, rawTransaction));
      assign.push(await measure(concurrency, durationMs, assignAndRelease(ipam)));
    }
    report(concurrency, median(raw), median(assign));
  }
  console.log(`ipam memory: ${fixture.memory().toFixed(0)} MiB`);
} finally {
  await fixture.stop();
}

/** Works with `concurrency` loops; `work` answers how long its measured part took, in ms. */
async function measure(
  concurrency: number,
  limitMs: number,
  work: (loop: number, i: number) => Promise<number>,
): Promise<Sample> {
  const times: number[] = [];
  let counted = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async (_, loop) => {
      for (let i = 0; performance.now() - start < limitMs; i++) {
        times.push(await work(loop, i));
        counted++;
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const sorted = times.toSorted((a, b) => a - b);
  const measured = times.reduce((sum, ms) => sum + ms, 0) / 1000;
  // Only the measured part of each round trip counts: the release in between is set-up.
  const busy = measured / (concurrency * seconds);
  return {
    perSecond: counted / (seconds * Math.max(busy, Number.EPSILON)),
    p50Ms: sorted[Math.floor(sorted.length / 2)] ?? 0,
  };
}

/** A transaction of the size of an assignment: a block and a handle, both compared. */
async function rawTransaction(loop: number, i: number): Promise<number> {
  const suffix = randomBytes(6).toString('hex');
  const handle = `/bench/handle/k8s-pod-network.${suffix}-${loop}-${i}`;
  const block = `/bench/block/${loop}-${i % 4}-${suffix}`;
  const start = performance.now();
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
  return performance.now() - start;
}

function assignAndRelease(ipam: Ipam) {
  return async (loop: number, i: number): Promise<number> => {
    const node = `node-${loop % NODES}`;
    const handleId = `k8s-pod-network.${randomBytes(16).toString('hex')}-${i}`;
    const start = performance.now();
    await ipam.autoAssign({
      node,
      handleId,
      ipv4Count: 1,
      attributes: { pod: `pod-${loop}-${i}`, namespace: 'default', node },
    });
    const took = performance.now() - start;
    await ipam.releaseByHandle({ handleId });
    return took;
  };
}

function median(samples: readonly Sample[]): Sample {
  const sorted = samples.toSorted((a, b) => a.perSecond - b.perSecond);
  return sorted[Math.floor(sorted.length / 2)] ?? { perSecond: 0, p50Ms: 0 };
}

function report(concurrency: number, raw: Sample, assign: Sample): void {
  const cells = [
    [String(concurrency), 11],
    [raw.perSecond.toFixed(0), 9],
    [raw.p50Ms.toFixed(2), 6],
    [assign.perSecond.toFixed(0), 12],
    [assign.p50Ms.toFixed(2), 6],
    [(assign.perSecond / raw.perSecond).toFixed(2), 5],
    [(assign.p50Ms / raw.p50Ms).toFixed(2), 9],
  ] as const;
  console.log(cells.map(([text, width]) => text.padStart(width)).join('  '));
}
