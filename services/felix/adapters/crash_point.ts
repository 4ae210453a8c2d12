// Fault injection: ends the process the hard way at a named step, so that tests can see that a crash
// there is harmless. Off unless CALICO_FELIX_CRASH_AT is set.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Step, StepHook } from '../core/steps.ts';

/** The marker in `directory` makes it happen once, however often the process is started again. */
export function crashPoint(at: Step | undefined, directory: string): StepHook {
  if (at === undefined) return () => {};
  return (step) => {
    if (step !== at) return;
    try {
      closeSync(openSync(join(directory, `crashed-at-${at.replace(':', '-')}`), 'wx'));
    } catch {
      return;
    }
    process.kill(process.pid, 'SIGKILL');
  };
}
