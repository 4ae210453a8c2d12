// Writes the speaker's inputs as JSON lines, so that what happened can be run again.
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Clock } from '@calico/clock';
import { recordLine } from '@calico/mailbox';
import type { SpeakerInput } from '../core/speaker/events.ts';
import type { Log } from '../ports.ts';

/** A recording never fills the disk: it ends here. */
const MAX_BYTES = 256 * 1024 * 1024;

export type Recorder = {
  readonly record: (input: SpeakerInput) => void;
  close(): void;
};

/** @throws as openSync() does when the file cannot be made; what is in it already is lost */
export function openRecorder(
  path: string,
  clock: Pick<Clock, 'monotonic'>,
  log: Log,
  maxBytes = MAX_BYTES,
): Recorder {
  let file: number | undefined = openSync(path, 'w', 0o600);
  let written = 0;
  const close = (): void => {
    if (file !== undefined) closeSync(file);
    file = undefined;
  };
  return {
    record: (input) => {
      if (file === undefined) return;
      try {
        written += writeSync(file, recordLine(clock.monotonic(), input));
        if (written < maxBytes) return;
        log.warn('recording ends: the file has reached its limit', { path, bytes: written });
      } catch (error) {
        log.warn('recording ends: the file cannot be written', { path, error });
      }
      close();
    },
    close,
  };
}
