// The executable as a runtime starts it.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const PLUGIN = join(import.meta.dirname, 'bin', 'calico');
const ENVIRONMENT = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: '4c0ffee',
  CNI_NETNS: '/var/run/netns/x',
  CNI_IFNAME: 'eth0',
};

function start(env: Record<string, string>, input: string, plugin = PLUGIN) {
  const { status, stdout, stderr } = spawnSync(plugin, [], { env, input, encoding: 'utf8' });
  return { status, stderr, answer: stdout === '' ? undefined : JSON.parse(stdout) };
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'cni-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('it runs with an empty environment, from anywhere, through a symbolic link', (t) => {
  const link = join(directory(t), 'calico');
  symlinkSync(PLUGIN, link);
  const { status, stderr, answer } = start({ CNI_COMMAND: 'VERSION' }, '', link);
  assert.deepEqual([status, stderr, answer.cniVersion], [0, '', '1.1.0']);
});

test('a failure is JSON on standard output and exit status 1', () => {
  const { status, stderr, answer } = start({ ...ENVIRONMENT, CNI_COMMAND: 'X' }, '{}');
  assert.deepEqual([status, stderr], [1, '']);
  assert.deepEqual(answer, {
    cniVersion: '1.1.0',
    code: 4,
    msg: 'Cannot use CNI_COMMAND "X": one of ADD, DEL, CHECK, STATUS, GC, VERSION is accepted',
  });
});

test('without felix it is: try again later, in the version of the configuration', (t) => {
  const runDir = directory(t);
  const input = JSON.stringify({ cniVersion: '0.4.0', name: 'net', type: 'calico', runDir });
  const { status, answer } = start(ENVIRONMENT, input);
  assert.deepEqual([status, answer.cniVersion, answer.code], [1, '0.4.0', 11]);
  assert.match(answer.msg, /felix.sock": the socket does not exist/);
});

test('each call is a line in the log that the configuration names', (t) => {
  const runDir = directory(t);
  const path = join(runDir, 'log', 'cni.log');
  const config = { cniVersion: '1.1.0', name: 'net', type: 'calico', runDir, log_file_path: path };
  start(ENVIRONMENT, JSON.stringify(config));
  start({ ...ENVIRONMENT, CNI_COMMAND: 'DEL' }, JSON.stringify({ ...config, log_level: 'error' }));
  start(ENVIRONMENT, JSON.stringify({ ...config, log_level: 'none' }));
  const lines = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ level, command, container, code }) => [level, command, container, code]),
    [
      ['error', 'ADD', '4c0ffee', 11],
      ['error', 'DEL', '4c0ffee', 11],
    ],
  );
});

// Without input: the launcher ends before it reads any.
test('a runtime that cannot be started is an error in the form of the specification', (t) => {
  const missing = start({ ...ENVIRONMENT, CALICO_CNI_RUNTIME: '/missing/node' }, '');
  assert.deepEqual([missing.status, missing.answer.code], [1, 104]);
  const old = join(directory(t), 'node');
  writeFileSync(old, '#!/bin/sh\nexit 3\n', { mode: 0o755 });
  assert.equal(start({ ...ENVIRONMENT, CALICO_CNI_RUNTIME: old }, '').status, 3);
});

test('input that comes slowly is read to its end', async () => {
  const child = spawn(PLUGIN, [], {
    env: { CNI_COMMAND: 'VERSION' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.write('{"cniVersion":');
  setTimeout(() => child.stdin.end('"0.4.0"}'), 100);
  let text = '';
  for await (const chunk of child.stdout) text += String(chunk);
  assert.equal(JSON.parse(text).cniVersion, '0.4.0');
});

test('an installed copy runs from anywhere, with the Node that it was installed with', (t) => {
  const bin = directory(t);
  const install = join(import.meta.dirname, 'install.ts');
  const node = spawnSync('sh', ['-c', 'command -v node'], { encoding: 'utf8' }).stdout.trim();
  const conf = join(bin, 'net.d', '10-calico.conflist');
  const made = spawnSync(node, [install, '--bin-dir', bin, '--conf', conf, '--run-dir', '/run/z'], {
    encoding: 'utf8',
  });
  assert.deepEqual([made.status, made.stderr], [0, '']);
  assert.equal(
    start({ CNI_COMMAND: 'VERSION' }, '', join(bin, 'calico')).answer.cniVersion,
    '1.1.0',
  );
  assert.deepEqual(JSON.parse(readFileSync(conf, 'utf8')).plugins, [
    { type: 'calico', runDir: '/run/z', ipam: { type: 'calico-ipam' } },
  ]);
});
