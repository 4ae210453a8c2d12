// A service as a real process: start-up, health, restart after a crash, signals, exit codes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { connectRpc } from '@calico/rpc';

/** Of a busy machine. */
const LIMIT_MS = 120_000;
const DEMO = fileURLToPath(new URL('demo_service.ts', import.meta.url));
const RUN = 'Deno' in globalThis ? ['run', '-A', '--no-check', DEMO] : [DEMO];

type Ended = { readonly code: number | null; readonly signal: string | null };
type Running = {
  readonly signal: (name: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
  readonly text: () => string;
  /** The first log line with this message. */
  readonly logged: (message: string) => Promise<Record<string, unknown>>;
};

function start(t: TestContext, environment: Record<string, string>, ...flags: string[]): Running {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [...RUN, ...flags], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  // Not child.kill(): Deno then reports that signal as the end, whatever the process did.
  const signal = (name: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(child.pid, name);
  };
  t.after(async () => {
    if (child.signalCode === null) signal('SIGKILL');
    await ended;
  });
  const logged = async (message: string): Promise<Record<string, unknown>> => {
    for (const end = performance.now() + LIMIT_MS; performance.now() < end; ) {
      for (const line of text.split('\n')) {
        if (line.includes(`"message":"${message}"`)) return JSON.parse(line);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error(`Cannot find "${message}" in the log: ${text}`);
  };
  return { signal, ended, text: () => text, logged };
}

function runDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'calico-process-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a service starts, answers, says where it listens, and stops on SIGTERM with 0', async (t) => {
  const runDir = runDirectory(t);
  const service = start(t, { CALICO_RUN_DIR: runDir });
  const { http, startMs, version } = await service.logged('started');
  t.diagnostic(`started in ${String(startMs)} ms`);
  const listening = await service.logged('listening');
  assert.equal(listening['address'], `unix:${runDir}/demo.sock`);
  assert.equal(listening['security'], 'local');
  const client = connectRpc(ResourceService, `unix:${runDir}/demo.sock`, { timeoutMs: LIMIT_MS });
  t.after(() => client.close());
  assert.equal((await client.getVersion({})).version, version);
  assert.equal((await fetch(`http://${String(http)}/readiness`)).status, 200);
  assert.match(await (await fetch(`http://${String(http)}/metrics`)).text(), /process_resident/);
  service.signal('SIGTERM');
  assert.deepEqual(await service.ended, { code: 0, signal: null });
  assert.match(service.text(), /"message":"stopped"/);
});

test('a service that was killed starts again on its socket, and clients come back', async (t) => {
  const runDir = runDirectory(t);
  const first = start(t, { CALICO_RUN_DIR: runDir });
  await first.logged('started');
  const client = connectRpc(ResourceService, `unix:${runDir}/demo.sock`, { timeoutMs: LIMIT_MS });
  t.after(() => client.close());
  await client.getVersion({});
  first.signal('SIGKILL');
  await first.ended;
  await assert.rejects(client.getVersion({}));
  const second = start(t, { CALICO_RUN_DIR: runDir });
  await second.logged('started');
  const begin = performance.now();
  for (;;) {
    const answered = await client.getVersion({}).then(
      () => true,
      () => false,
    );
    if (answered) break;
    assert.ok(performance.now() - begin < LIMIT_MS, 'the client does not come back');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
});

test('a service ends with the code that says why', async (t) => {
  const runDir = runDirectory(t);
  const wrong = start(t, { CALICO_RUN_DIR: runDir, CALICO_LOG_LEVEL: 'loud' });
  assert.equal((await wrong.ended).code, 78);
  assert.match(wrong.text(), /CALICO_LOG_LEVEL="loud": expected one of debug/);
  const open = start(t, { CALICO_RUN_DIR: runDir, CALICO_LISTEN: '0.0.0.0:0' });
  assert.equal((await open.ended).code, 1);
  assert.match(open.text(), /--insecure/);
  const help = start(t, {}, '--help');
  assert.equal((await help.ended).code, 0);
  assert.match(help.text(), /CALICO_RUN_DIR/);
  const insecure = start(t, { CALICO_RUN_DIR: runDir, CALICO_LISTEN: '0.0.0.0:0' }, '--insecure');
  assert.equal((await insecure.logged('listening'))['security'], 'insecure');
});
