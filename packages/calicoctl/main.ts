#!/usr/bin/env node
// calicoctl as a process.
import { stdin } from 'node:process';
import { text } from 'node:stream/consumers';
import { runCalicoctl } from './calicoctl.ts';

// A reader that has seen enough (`calicoctl get … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCalicoctl(process.argv.slice(2), {
  out: (chunk) => process.stdout.write(chunk),
  err: (chunk) => process.stderr.write(chunk),
  readInput: () => text(stdin),
  environment: process.env,
  now: () => Date.now(),
  elapsedMs: () => performance.now(),
});
