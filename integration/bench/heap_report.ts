// Loaded into a process to be measured: writes its memory, twice a second, where the bench finds it.
import { writeFileSync } from 'node:fs';
import { heapFile } from './ipam_memory.ts';

setInterval(
  () => writeFileSync(heapFile(process.pid), JSON.stringify(process.memoryUsage())),
  500,
).unref();
