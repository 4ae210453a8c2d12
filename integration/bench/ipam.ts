// AutoAssign per second through gRPC against raw etcd transactions per second: in one run, in turns of a
// quarter of a second, so that whatever else the machine does falls on both.
//
//   node integration/bench/ipam.ts [--seconds 6] [--concurrency 1,8,64] [--warm-up 8] [--pairs 0]
//
// `raw` is one transaction of the size of an assignment, by the client that ipam itself uses. With
// --pairs, so many assign/release pairs instead, with the memory of the ipam process over time.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type Ipam, IpamFixture } from '../ipam/fixture.ts';
import { CpuClock, type CpuSeconds } from './cpu_clock.ts';
import { percentile } from './figures.ts';
import { HEAP_REPORT, runPairs } from './ipam_memory.ts';

const NODES = 8;
const SLICE_MS = 250;
/** Addresses that are held at once while assignments are measured; a node may hold 1,280. */
const MOST_HELD = 2048;

/** Does one thing; answers nothing. */
type Work = (loop: number) => Promise<void>;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    concurrency: { type: 'string', default: '1,8,64' },
    'warm-up': { type: 'string', default: '8' },
    pairs: { type: 'string', default: '0' },
  },
});

class Meter {
  readonly #times: number[] = [];
  readonly #clock: CpuClock;
  #elapsedMs = 0;

  constructor(clock: CpuClock) {
    this.#clock = clock;
  }

  /** Works with `concurrency` loops until `most` are done or the time is over. */
  async run(concurrency: number, most: number, limitMs: number, work: Work): Promise<void> {
    let started = 0;
    this.#clock.start();
    const start = performance.now();
    await Promise.all(
      Array.from({ length: concurrency }, async (_, loop) => {
        while (started < most && performance.now() - start < limitMs) {
          started++;
          const before = performance.now();
          await work(loop);
          this.#times.push(performance.now() - before);
        }
      }),
    );
    this.#elapsedMs += performance.now() - start;
    this.#clock.stop();
  }

  /** Processor time of one piece of work, in microseconds, by process. */
  get cpuMicros(): CpuSeconds {
    const each = 1e6 / this.#times.length;
    const { client, ipam, etcd } = this.#clock.seconds;
    return { client: client * each, ipam: ipam * each, etcd: etcd * each };
  }

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  get perSecond(): number {
    return (this.#times.length / this.#elapsedMs) * 1000;
  }

  get p50Ms(): number {
    return percentile(this.#times, 50);
  }
}

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
    console.log(
      'concurrency  raw txn/s  p50 ms  AutoAssign/s  p50 ms  ratio  p50 ratio  ReleaseByHandle/s',
    );
    for (const concurrency of values.concurrency.split(',').map(Number)) {
      report(concurrency, await compare(ipam, concurrency, Number(values.seconds) * 1000));
    }
    console.log(`ipam memory: ${fixture.memory().toFixed(0)} MiB`);
  }
} finally {
  await fixture.stop();
}

type Meters = { readonly raw: Meter; readonly assign: Meter; readonly release: Meter };

/** Raw, assign and release in turns, each for a third of the time. */
async function compare(ipam: Ipam, concurrency: number, limitMs: number): Promise<Meters> {
  const pids = { ipam: fixture.pid(), etcd: fixture.etcdPid() };
  const meter = (): Meter => new Meter(new CpuClock(pids));
  const meters = { raw: meter(), assign: meter(), release: meter() };
  while (meters.raw.elapsedMs + meters.assign.elapsedMs < (limitMs * 2) / 3) {
    await meters.raw.run(concurrency, Number.POSITIVE_INFINITY, SLICE_MS, rawTransaction);
    const handles: string[] = [];
    await meters.assign.run(concurrency, MOST_HELD, SLICE_MS, async (loop) => {
      const handleId = `k8s-pod-network.${randomBytes(16).toString('hex')}`;
      const node = `node-${loop % NODES}`;
      const attributes = { pod: `pod-${handles.length}`, namespace: 'default', node };
      await ipam.autoAssign({ node, handleId, ipv4Count: 1, attributes });
      handles.push(handleId);
    });
    const { length } = handles;
    await meters.release.run(concurrency, length, Number.POSITIVE_INFINITY, async () => {
      await ipam.releaseByHandle({ handleId: handles.pop() ?? '' });
    });
  }
  return meters;
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

function report(concurrency: number, { raw, assign, release }: Meters): void {
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
  for (const [what, meter] of Object.entries({ raw, assign, release })) {
    const { client, ipam, etcd } = meter.cpuMicros;
    const parts = [client, ipam, etcd].map((micros) => micros.toFixed(0).padStart(5));
    console.log(
      `    ${what.padEnd(8)} CPU µs each: client ${parts[0]}, ipam ${parts[1]}, etcd ${parts[2]}`,
    );
  }
}
