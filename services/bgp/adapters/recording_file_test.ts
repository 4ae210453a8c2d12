import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecordingFile } from './recording_file.ts';

function inFolder(run: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'calico-recording-'));
  try {
    run(join(folder, 'bgp', 'sessions.mrt'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const LOG = { info: () => {}, warn: () => {} };
const record = (octet: number): Uint8Array => new Uint8Array(4).fill(octet);

test('write() keeps the file and the one before it, whole records in each', () => {
  inFolder((path) => {
    const file = new RecordingFile(path, LOG);
    file.write([record(0)]);
    file.configure(10);
    for (const octet of [1, 2, 3, 4, 5]) file.write([record(octet)]);
    assert.deepEqual([...readFileSync(`${path}.1`)], [3, 3, 3, 3, 4, 4, 4, 4]);
    assert.deepEqual([...readFileSync(path)], [5, 5, 5, 5]);
    file.configure(undefined);
    file.write([record(6)]);
    assert.equal(readFileSync(path).length, 4);
  });
});

test('what an earlier process has written is kept, and counts', () => {
  inFolder((path) => {
    const before = new RecordingFile(path, LOG);
    before.configure(8);
    before.write([record(1)]);
    before.close();
    const file = new RecordingFile(path, LOG);
    file.configure(8);
    file.write([record(2)]);
    file.write([record(3)]);
    file.close();
    assert.deepEqual([...readFileSync(`${path}.1`)], [1, 1, 1, 1, 2, 2, 2, 2]);
  });
});

test('a file that cannot be written ends the recording alone', () => {
  inFolder((path) => {
    const warnings: string[] = [];
    const file = new RecordingFile(join(path, 'x'), {
      ...LOG,
      warn: (text) => warnings.push(text),
    });
    new RecordingFile(path, LOG).configure(8);
    writeFileSync(path, '');
    file.configure(8);
    file.write([record(1)]);
    assert.equal(warnings.length, 1);
  });
});
