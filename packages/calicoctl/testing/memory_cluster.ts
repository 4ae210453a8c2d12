// A cluster for all tests of a file: its services in memory, empty before each test, and calicoctl on it.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach } from 'node:test';
import { CommandLine } from './command_line.ts';
import { MemoryServices } from './memory_services.ts';

export function memoryCluster(): {
  readonly services: MemoryServices;
  readonly calicoctl: CommandLine;
} {
  const services = new MemoryServices(mkdtempSync(join(tmpdir(), 'calicoctl-')));
  before(() => services.serve());
  beforeEach(() => services.clear());
  after(() => services.stop());
  return { services, calicoctl: new CommandLine(() => services.environment) };
}
