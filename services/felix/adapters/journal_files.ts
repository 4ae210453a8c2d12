// The journal: one JSON file per attachment, replaced atomically and on disk before a call returns.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkloadKey, WorkloadRecord } from '../core/workload.ts';
import type { Journal, Log } from '../ports.ts';

const SUFFIX = '.json';
const DRAFT_SUFFIX = '.new';

export class JournalFiles implements Journal {
  readonly #directory: string;
  readonly #log: Log;

  /** Creates the directory. */
  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** An entry that cannot be read is set aside: it must not keep the node from working. */
  load(): WorkloadRecord[] {
    const records: WorkloadRecord[] = [];
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (name.endsWith(DRAFT_SUFFIX)) {
        // A write that a crash cut off: the entry before it counts.
        rmSync(path, { force: true });
      } else if (name.endsWith(SUFFIX)) {
        const record = readRecord(path);
        if (record === undefined) {
          this.#log.error('journal entry cannot be read, setting it aside', { path });
          renameSync(path, `${path}.unreadable`);
        } else {
          records.push(record);
        }
      }
    }
    return records;
  }

  async write(record: WorkloadRecord): Promise<void> {
    const path = this.#path(record.workload);
    const draft = `${path}${DRAFT_SUFFIX}`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(record)}\n`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await this.#syncDirectory();
  }

  async forget(key: WorkloadKey): Promise<void> {
    await rm(this.#path(key), { force: true });
    await this.#syncDirectory();
  }

  #path({ containerId, interfaceName }: WorkloadKey): string {
    // Neither name holds a "/" or starts with "."; "+" is in none of them.
    return join(this.#directory, `${containerId}+${interfaceName}${SUFFIX}`);
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

function readRecord(path: string): WorkloadRecord | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is WorkloadRecord {
  const record = value as Partial<WorkloadRecord> | null;
  return (
    typeof record === 'object' &&
    record !== null &&
    record.version === 1 &&
    (record.phase === 'adding' || record.phase === 'present' || record.phase === 'removing') &&
    typeof record.workload?.containerId === 'string' &&
    typeof record.workload.interfaceName === 'string' &&
    typeof record.hostInterface === 'string' &&
    typeof record.handle === 'string' &&
    Array.isArray(record.addresses) &&
    typeof record.pending === 'object'
  );
}
