import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@calico/telemetry';
import { NodeFiles } from './node_files.ts';

test('NodeFiles writes what is new, leaves what is so already, and survives a disk that refuses', () => {
  const directory = mkdtempSync(join(tmpdir(), 'calico-node-'));
  try {
    const path = join(directory, 'lib', 'nodename');
    new NodeFiles(join(directory, 'lib'), silentLogger).write('nodename', 'n1');
    assert.equal(readFileSync(path, 'utf8'), 'n1');
    const { ino } = statSync(path);
    const files = new NodeFiles(join(directory, 'lib'), silentLogger);
    files.write('nodename', 'n1');
    assert.equal(statSync(path).ino, ino);
    files.write('nodename', 'n2');
    assert.equal(readFileSync(path, 'utf8'), 'n2');
    writeFileSync(join(directory, 'file'), '');
    new NodeFiles(join(directory, 'file'), silentLogger).write('mtu', '1500');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
