// The demo itself, in every mode that this kernel can do; two labs at once; nothing left behind.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingFeatures } from '../demo/requirements.ts';
import {
  eventually,
  exec,
  execOk,
  Lab,
  ping,
  ROOT,
  readStates,
  sweepAbandoned,
} from '../lab/mod.ts';

const DEMO = ['node', join(ROOT, 'integration/demo/main.ts')];

async function runDemo(args: readonly string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await exec([...DEMO, ...args], {
    cwd: ROOT,
    timeoutMs: 900_000,
  });
  return { code, output: stdout + stderr };
}

for (const mode of ['bgp', 'vxlan', 'crosssubnet'] as const) {
  test(`the walk-through is true in mode ${mode}`, async () => {
    const { code, output } = await runDemo(['--mode', mode]);
    assert.equal(code, 0, output);
    assert.match(output, /checks, all true/);
  });
}

test('mode ipip is refused on a kernel without it, with the way out', async (t) => {
  if ((await missingFeatures('ipip')).length === 0) return t.skip('this kernel has ipip');
  const { code, output } = await runDemo(['--mode', 'ipip']);
  assert.equal(code, 1);
  assert.match(output, /ipip/);
  assert.match(output, /--vm/);
});

test('a node count or mode that cannot be is refused with what would be accepted', async () => {
  const nodes = await runDemo(['--nodes', 'many']);
  assert.notEqual(nodes.code, 0);
  assert.match(nodes.output, /whole number from 1 on/);
  const mode = await runDemo(['--mode', 'gre']);
  assert.notEqual(mode.code, 0);
  assert.match(mode.output, /bgp, ipip, vxlan, crosssubnet/);
});

test('two labs at once do not disturb each other and leave nothing', async () => {
  const [first, second] = await Promise.all([
    Lab.start({ nodes: 2 }),
    Lab.start({ nodes: 2, mode: 'vxlan' }),
  ]);
  try {
    await Promise.all([first.configure(), second.configure()]);
    for (const lab of [first, second]) {
      const a = await lab.addPod('a', 'k8s-master');
      const b = await lab.addPod('b', 'k8s-node01');
      await eventually(
        async () => (await ping(a.netns, b.ip)).received === 1,
        20_000,
        () => `pods of ${lab.topology.mode} cannot reach each other`,
      );
    }
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
  await assertNothingLeft([first.topology.prefix, second.topology.prefix]);
});

/** A demo in the background, once its processes run; answers the prefix of its lab. */
async function startDemo(): Promise<{ child: ChildProcess; prefix: string }> {
  const known = new Set(readStates().map(({ prefix }) => prefix));
  const child = spawn('node', DEMO.slice(1), { cwd: ROOT, stdio: 'ignore' });
  const running = () =>
    readStates().find(
      ({ prefix, owner, processes }) =>
        !known.has(prefix) && owner.pid === child.pid && processes.length > 5,
    );
  await eventually(
    () => running() !== undefined,
    30_000,
    () => 'the demo does not start',
  );
  return { child, prefix: running()?.prefix ?? '' };
}

test('an interrupted demo leaves nothing', async () => {
  const { child, prefix } = await startDemo();
  child.kill('SIGINT');
  await once(child, 'exit');
  await assertNothingLeft([prefix]);
});

test('a demo that was killed is swept by the next one', async () => {
  const { child, prefix } = await startDemo();
  child.kill('SIGKILL');
  await once(child, 'exit');
  await sweepAbandoned();
  await assertNothingLeft([prefix]);
});

async function assertNothingLeft(prefixes: readonly string[]): Promise<void> {
  const namespaces = await execOk(['ip', 'netns', 'list']);
  for (const prefix of prefixes) {
    assert.ok(!namespaces.includes(prefix), `namespaces of ${prefix} are left: ${namespaces}`);
    assert.ok(!readStates().some((state) => state.prefix === prefix), 'its state is left');
    const running = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
    const { stdout } = await exec([
      'sh',
      '-c',
      `cat ${running.map((pid) => `/proc/${pid}/cmdline`).join(' ')} 2>/dev/null | tr '\\0' ' '`,
    ]);
    assert.ok(!stdout.includes(`calico-lab/${prefix}`), 'a process is left');
  }
}
