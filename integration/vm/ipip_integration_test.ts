// The walk-through in mode ipip on a kernel that has IP in IP, in a virtual machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { eventually, ROOT } from '../lab/mod.ts';
import { whyNoMachine } from './mod.ts';

const reason = await whyNoMachine();
const options = reason === undefined ? {} : { skip: reason };
const MINUTES = 60_000;

test('npm run demo -- --vm shows IP in IP end to end', options, async (t) => {
  const demo = startDemo(t);
  const code = await demo.ended;
  const text = demo.lines.join('\n');
  const shows = (pattern: RegExp): void => assert.match(text, pattern);
  assert.equal(code, 0, text);
  shows(/virtual machine: Linux 6\.\d+\.\d+/);
  shows(/11\/11 bgp on k8s-node02: started/);
  shows(/10\.244\.85\.192\/26 via 192\.168\.80\.101 dev tunl0 proto bird onlink/);
  shows(/10\.244\.235\.192\/26 via 192\.168\.80\.100 dev tunl0 proto bird onlink/);
  shows(/blackhole 10\.244\.58\.192\/26 proto bird/);
  shows(/mtu 1480/);
  shows(/192\.168\.80\.101 \| node-to-node mesh \| up .*Established/);
  shows(/15 of 15 pairs answer/);
  shows(/proto IPIP \(4\)/);
  shows(
    /192\.168\.80\.\d+ > 192\.168\.80\.\d+: IP .*\n? *10\.244\.\S+ > 10\.244\.\S+: ICMP echo request/,
  );
  shows(/\d+ checks, all true/);
  assert.deepEqual(filesOf(demo.pid), []);
});

test('the machine and its files go when the walk-through is interrupted', options, async (t) => {
  const demo = startDemo(t);
  await eventually(
    () => demo.lines.some((line) => line.includes('booted')),
    15 * MINUTES,
    () => `the machine does not boot: ${demo.lines.join('\n')}`,
    () => demo.hasEnded(),
  );
  const machines = childrenOf(demo.pid);
  assert.notDeepEqual(machines, []);
  assert.notDeepEqual(filesOf(demo.pid), []);
  process.kill(demo.pid, 'SIGTERM');
  assert.equal(await demo.ended, 130);
  assert.deepEqual(filesOf(demo.pid), []);
  assert.deepEqual(
    machines.filter((pid) => existsSync(`/proc/${pid}`)),
    [],
  );
});

/** Without npm and the bootstrap around it, which the test runner has been through. */
function startDemo(t: TestContext) {
  const args = [join(ROOT, 'integration/demo/main.ts'), '--vm'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGTERM'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    pid: child.pid ?? 0,
    lines,
    ended,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
  };
}

/** Temporary files of the demo process. */
function filesOf(pid: number): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`calico-vm-${pid}-`));
}

function childrenOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8');
    return text.split(' ').filter((child) => child !== '');
  });
}
