// Processor time (user and system) of the processes that share the work.
import { readFileSync } from 'node:fs';

/** Seconds, by process; the client is this one. */
export type CpuSeconds = { readonly client: number; readonly ipam: number; readonly etcd: number };

/** Of /proc/<pid>/stat; the same on every Linux that we run on. */
const TICKS_PER_SECOND = 100;

/** Adds up what is used between `start()` and `stop()`. */
export class CpuClock {
  readonly #pids: { readonly ipam: number; readonly etcd: number };
  #before: CpuSeconds = { client: 0, ipam: 0, etcd: 0 };
  #sum: CpuSeconds = { client: 0, ipam: 0, etcd: 0 };

  constructor(pids: { readonly ipam: number; readonly etcd: number }) {
    this.#pids = pids;
  }

  start(): void {
    this.#before = this.#now();
  }

  stop(): void {
    const now = this.#now();
    const { client, ipam, etcd } = this.#before;
    this.#sum = {
      client: this.#sum.client + now.client - client,
      ipam: this.#sum.ipam + now.ipam - ipam,
      etcd: this.#sum.etcd + now.etcd - etcd,
    };
  }

  get seconds(): CpuSeconds {
    return this.#sum;
  }

  #now(): CpuSeconds {
    const { user, system } = process.cpuUsage();
    return {
      client: (user + system) / 1e6,
      ipam: secondsOf(this.#pids.ipam),
      etcd: secondsOf(this.#pids.etcd),
    };
  }
}

function secondsOf(pid: number): number {
  // Field 2 is the name, in parentheses; user and system time are fields 14 and 15.
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
