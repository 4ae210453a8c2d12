// /proc/sys/net of the namespace that this process lives in.
import { readFileSync, writeFileSync } from 'node:fs';

const ROOT = '/proc/sys/net';

/** Undefined when there is no such setting, for example because its device is gone. */
export function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`${ROOT}/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Writes only what differs; answers why it could not. */
export function ensureSysctl(path: string, value: string): string | undefined {
  const found = readSysctl(path);
  if (found === value) return undefined;
  try {
    writeFileSync(`${ROOT}/${path}`, value);
    return undefined;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return `cannot set net/${path} to ${value} (it is ${found ?? 'absent'}): ${reason}`;
  }
}
