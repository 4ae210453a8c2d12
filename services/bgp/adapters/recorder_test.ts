import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { replay } from '@calico/mailbox';
import { openRecorder } from './recorder.ts';

test('openRecorder() writes what can be replayed, and ends at its limit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'recorder-'));
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => warnings.push(message) };
  const path = join(folder, 'speaker.jsonl');
  const recorder = openRecorder(path, { monotonic: () => 7 }, log, 60);
  recorder.record({ kind: 'flush' });
  recorder.record({ kind: 'interface', name: undefined });
  recorder.record({ kind: 'flush' });
  recorder.close();
  assert.deepEqual(
    [...replay(readFileSync(path, 'utf8'))],
    [
      { at: 7, item: { kind: 'flush' } },
      { at: 7, item: { kind: 'interface', name: undefined } },
    ],
  );
  assert.equal(warnings.length, 1);
  rmSync(folder, { recursive: true });
});
