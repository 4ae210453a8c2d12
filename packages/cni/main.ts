// The executable: bin/calico → launch.js → here.
import { readFileSync, writeSync } from 'node:fs';
import { logCall } from './call_log.ts';
import { cniErrorOf, errorJson } from './cni_error.ts';
import type { Felix } from './felix_contract.ts';
import { answerVersion, invoke } from './plugin.ts';

/** Felix and what it calls have deadlines of their own, which are shorter. */
const TIMEOUT_MS = 25_000;

/** When the client of felix was loaded; undefined: it was not needed. */
let connectMs: number | undefined;

async function openFelix(runDir: string): Promise<Felix> {
  const { FelixClient } = await import('./grpc_client.ts');
  connectMs = performance.now();
  return new FelixClient(`${runDir.replace(/\/$/, '')}/felix.sock`, TIMEOUT_MS);
}

async function readInput(): Promise<string> {
  try {
    return readFileSync(0, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EAGAIN') return '';
  }
  // A runtime may give a pipe that does not block.
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function print(text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EAGAIN') throw error;
    }
  }
}

/** Answers the exit status. Times are milliseconds since the process began. */
export async function run(launchedMs: number): Promise<number> {
  const startedMs = performance.now();
  const variables = process.env;
  const input = await readInput();
  const finish = (text: string, failure?: { code: number; message: string }): number => {
    const times = { launchedMs, startedMs, connectMs, finishedMs: performance.now() };
    logCall(variables, input, { times, failure });
    print(text);
    return failure ? 1 : 0;
  };
  try {
    return finish(await invoke({ variables, input, openFelix }));
  } catch (error) {
    const { code, message } = cniErrorOf(error);
    return finish(errorJson(error, answerVersion(input)), { code, message });
  }
}
