// The memory of an ipam process over many assign/release pairs.
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ipam, IpamFixture } from '../ipam/fixture.ts';

const LOOPS = 64;
const NODES = 8;
/** However slow the machine is: memory is measured, not time. */
const PATIENT = { timeoutMs: 120_000 };
const MEBIBYTE = 1024 * 1024;

/** To be loaded into the process: `fixture.startService([HEAP_REPORT])`. */
export const HEAP_REPORT = fileURLToPath(new URL('heap_report.ts', import.meta.url));

export function heapFile(pid: number): string {
  return join(tmpdir(), `calico-heap-${pid}.json`);
}

/** Prints resident memory and heap ten times on the way. */
export async function runPairs(fixture: IpamFixture, ipam: Ipam, count: number): Promise<void> {
  let started = 0;
  let done = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: LOOPS }, async (_, loop) => {
      while (started++ < count) {
        const handleId = `k8s-pod-network.${randomBytes(16).toString('hex')}`;
        await ipam.autoAssign({ node: `node-${loop % NODES}`, handleId, ipv4Count: 1 }, PATIENT);
        await ipam.releaseByHandle({ handleId }, PATIENT);
        if (++done % Math.ceil(count / 10) === 0) report(fixture, done, start);
      }
    }),
  );
  rmSync(heapFile(fixture.pid()), { force: true });
}

function report(fixture: IpamFixture, done: number, start: number): void {
  const { rss, heapUsed, external } = JSON.parse(
    readFileSync(heapFile(fixture.pid()), 'utf8'),
  ) as NodeJS.MemoryUsage;
  const cells = [rss, heapUsed, external].map((bytes) => (bytes / MEBIBYTE).toFixed(0));
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `${done} pairs in ${seconds} s: resident ${cells[0]} MiB, heap ${cells[1]}, external ${cells[2]}`,
  );
}
