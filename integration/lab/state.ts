// What a lab leaves on disk, so that another process can look into it, stop it, or sweep it away.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodPlan } from './pods.ts';
import type { Runtime } from './processes.ts';
import type { Mode } from './topology.ts';

const STATE_ROOT = '/run/calico-lab';

export type LabState = {
  readonly prefix: string;
  readonly mode: Mode;
  readonly nodeCount: number;
  readonly runtime: Runtime;
  readonly detached: boolean;
  /** Pid of the process that started it, with its start time, so that a reused pid is not taken for it. */
  readonly owner: ProcessIdentity;
  readonly processes: readonly (ProcessIdentity & {
    readonly service: string;
    readonly node: string;
  })[];
  readonly pods: readonly PodPlan[];
};

export type ProcessIdentity = { readonly pid: number; readonly startTime: string };

export function labDirectory(prefix: string): string {
  return join(STATE_ROOT, prefix);
}

export function writeState(state: LabState): void {
  const directory = labDirectory(state.prefix);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'state.json'), JSON.stringify(state, undefined, 2));
}

export function readStates(): LabState[] {
  if (!existsSync(STATE_ROOT)) return [];
  return readdirSync(STATE_ROOT).flatMap((prefix) => {
    try {
      return [JSON.parse(readFileSync(join(STATE_ROOT, prefix, 'state.json'), 'utf8')) as LabState];
    } catch {
      return [];
    }
  });
}

export function removeState(prefix: string): void {
  // Whoever was killed may be writing its last.
  rmSync(labDirectory(prefix), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Identity of a live process; undefined when there is none with this pid. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return { pid, startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}
