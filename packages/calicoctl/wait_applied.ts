// Waits until changes are in force on the nodes that they concern.
import { CommandError } from './command_error.ts';
import { formatDuration } from './duration.ts';
import type { Session } from './session.ts';

export type AppliedTarget = { readonly kind: string; readonly revision: bigint };

export type WaitOptions = {
  readonly timeoutMs: number;
  /** Terminal time at which the first change was sent. */
  readonly startedMs: number;
};

type Progress = {
  readonly nodesApplied: number;
  readonly nodesTotal: number;
  readonly waitingFor: readonly string[];
};

/** "in force on 3/3 nodes in 84 ms" @throws CommandError when the time is over */
export async function waitApplied(
  { connections, terminal }: Session,
  targets: readonly AppliedTarget[],
  { timeoutMs, startedMs }: WaitOptions,
): Promise<string> {
  let last: Progress | undefined;
  const remainingMs = Math.max(1, timeoutMs - (terminal.elapsedMs() - startedMs));
  const timeout = AbortSignal.timeout(Math.ceil(remainingMs));
  try {
    await connections.ask('status', async (client) => {
      for await (const progress of client.waitApplied(
        { targets: [...targets] },
        { signal: timeout },
      )) {
        last = progress;
      }
    });
  } catch (cause) {
    if (!timeout.aborted) throw cause;
    throw tooLate(last, timeoutMs, cause);
  }
  const duration = formatDuration(terminal.elapsedMs() - startedMs);
  return `in force on ${countText(last)} in ${duration}`;
}

function countText(progress: Progress | undefined): string {
  return progress === undefined
    ? '0/0 nodes'
    : `${progress.nodesApplied}/${progress.nodesTotal} nodes`;
}

function tooLate(progress: Progress | undefined, timeoutMs: number, cause: unknown): CommandError {
  const waiting = progress?.waitingFor ?? [];
  const whom = waiting.length === 0 ? '' : `; waiting for ${waiting.join(', ')}`;
  return new CommandError(
    `Cannot confirm within ${formatDuration(timeoutMs)}: in force on ${countText(progress)}${whom}`,
    {
      cause,
      advice:
        'The change is stored and nodes follow when they can. "calicoctl get nodes" lists them; look at the log of the node that is missing.',
    },
  );
}
