// One JSON line per call, when the configuration names a file.
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Variables } from './environment.ts';

export type Outcome = {
  /** Milliseconds since the process began. */
  readonly times: Readonly<Record<'launchedMs' | 'startedMs' | 'finishedMs', number>> & {
    /** Undefined: felix was not asked. */
    readonly connectMs: number | undefined;
  };
  /** Code and text of the failure; undefined: success. */
  readonly failure: { readonly code: number; readonly message: string } | undefined;
};

const LEVELS = ['debug', 'info', 'warning', 'error'];

/** Never throws: a full disk must not keep a container from its network. */
export function logCall(variables: Variables, input: string, outcome: Outcome): void {
  try {
    const { log_file_path: path, log_level: level = 'info' } = JSON.parse(input) as {
      log_file_path?: unknown;
      log_level?: unknown;
    };
    if (typeof path !== 'string' || !path.startsWith('/')) return;
    const wanted = LEVELS.indexOf(String(level).toLowerCase());
    const actual = LEVELS.indexOf(outcome.failure ? 'error' : 'info');
    if (wanted < 0 || actual < wanted) return;
    mkdirSync(dirname(path), { recursive: true });
    const line = {
      time: new Date().toISOString(),
      level: outcome.failure ? 'error' : 'info',
      command: variables['CNI_COMMAND'],
      container: variables['CNI_CONTAINERID'],
      interface: variables['CNI_IFNAME'],
      netns: variables['CNI_NETNS'],
      args: variables['CNI_ARGS'],
      elapsedMs: Math.round(outcome.times.finishedMs),
      ...outcome.failure,
      ...(wanted === 0 && { input, began: performance.timeOrigin, times: outcome.times }),
    };
    appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch {
    // See above.
  }
}
