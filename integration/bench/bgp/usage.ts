// What processes have cost. Linux: proc(5).
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

export type Usage = {
  /** User and system time in seconds. */
  readonly cpu: number;
  readonly megabytes: number;
  readonly peakMegabytes: number;
};

/** Of all of them together. */
export function usageOf(pids: readonly number[]): Usage {
  const each = pids.map(usage);
  const sum = (field: keyof Usage): number =>
    each.reduce((total, value) => total + value[field], 0);
  return {
    cpu: sum('cpu'),
    megabytes: sum('megabytes'),
    peakMegabytes: sum('peakMegabytes'),
  };
}

function usage(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    Number(new RegExp(`${name}:\\s+([0-9]+)`).exec(status)?.[1]) / 1024;
  return {
    cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    megabytes: megabytes('VmRSS'),
    peakMegabytes: megabytes('VmHWM'),
  };
}
