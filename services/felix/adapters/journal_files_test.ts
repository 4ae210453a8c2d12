import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NOTHING_PARTICULAR, type WorkloadRecord } from '../core/workload.ts';
import { JournalFiles } from './journal_files.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const RECORD: WorkloadRecord = {
  version: 1,
  phase: 'present',
  workload: {
    containerId: 'c.1-a_b',
    interfaceName: 'eth0',
    netns: '/run/netns/x',
    network: 'net',
    namespace: 'default',
    pod: 'p',
    ...NOTHING_PARTICULAR,
    labels: { a: 'b' },
  },
  hostInterface: 'cali1',
  containerMac: '02:00:00:00:00:01',
  endpointName: 'n-k8s-p-eth0',
  handle: 'net.c.1-a_b',
  addresses: [{ address: '10.0.0.1', block: '10.0.0.0/26', pool: 'p' }],
  mtu: 1450,
  pending: { endpoint: false, address: false },
};

function inDirectory(work: (directory: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), 'felix-journal-'));
    try {
      await work(directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}

test(
  'write() can be read back by another process, forget() removes it, twice too',
  inDirectory(async (directory) => {
    const journal = new JournalFiles(directory, log);
    await journal.write(RECORD);
    await journal.write({ ...RECORD, phase: 'removing' });
    const loaded = new JournalFiles(directory, log).load();
    assert.deepEqual(loaded, [{ ...RECORD, phase: 'removing' }]);
    await journal.forget(RECORD.workload);
    await journal.forget(RECORD.workload);
    assert.deepEqual(readdirSync(directory), []);
  }),
);

test(
  'load() drops writes that were cut off and sets aside what it cannot read',
  inDirectory(async (directory) => {
    const journal = new JournalFiles(directory, log);
    await journal.write(RECORD);
    writeFileSync(join(directory, 'x+eth0.json.new'), '{"half');
    writeFileSync(join(directory, 'y+eth0.json'), '{"version":1');
    writeFileSync(join(directory, 'z+eth0.json'), '{"version":2,"phase":"present"}');
    assert.equal(journal.load().length, 1);
    assert.deepEqual(readdirSync(directory).toSorted(), [
      'c.1-a_b+eth0.json',
      'y+eth0.json.unreadable',
      'z+eth0.json.unreadable',
    ]);
  }),
);

test(
  'write() fails when the disk does',
  inDirectory(async (directory) => {
    const journal = new JournalFiles(directory, log);
    rmSync(directory, { recursive: true });
    await assert.rejects(journal.write(RECORD), /ENOENT/);
  }),
);
