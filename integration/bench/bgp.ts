// One feeder, one speaker, one receiver: ours beside BIRD 2 in the same run, interleaved, medians.
//   sudo node integration/bench/bgp.ts --counts 10000,100000 --repeat 3
// Seconds from the feeder's first byte until the receiver has every prefix, and until the kernel has
// every route; CPU seconds and peak memory of the speaker's process.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exec, execOk } from '../lab/mod.ts';
import { FEEDER, RECEIVER, SPEAKER } from './bgp_roles.ts';
import { percentile } from './figures.ts';

const { values: options } = parseArgs({
  options: {
    counts: { type: 'string', default: '10000,100000' },
    repeat: { type: 'string', default: '3' },
    kernel: { type: 'string', default: 'yes' },
    /** Folder for CPU profiles of ours. */
    profile: { type: 'string' },
  },
});

const HERE = import.meta.dirname;
const prefix = `bgb${randomBytes(3).toString('hex')}`;
const [inside, outside] = [`${prefix}-s`, `${prefix}-w`];
const directory = mkdtempSync(join(tmpdir(), 'bgp-bench-'));
const children = new Set<ChildProcess>();

type Daemon = 'ours' | 'bird 2';
type Sample = { readonly seconds: number; readonly cpu: number; readonly megabytes: number };

function start(namespace: string, command: readonly string[]): ChildProcess {
  const args = ['netns', 'exec', namespace, ...command];
  const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function firstLine(child: ChildProcess, timeoutMs: number): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  let text = '';
  while (!text.includes('\n')) {
    const [bytes] = await once(child.stdout as NodeJS.ReadableStream, 'data', { signal });
    text += String(bytes);
  }
  return text;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // Our own end by themselves, which is when a profile is written.
  child.kill(child.spawnargs.includes('/usr/sbin/bird') ? 'SIGKILL' : 'SIGTERM');
  await ended;
}

function birdPeer({ address, asn }: typeof FEEDER, name: string): string {
  return `protocol bgp ${name} {
  local ${SPEAKER.address} as ${SPEAKER.asn}; neighbor ${address} as ${asn}; passive on;
  ipv4 { import all; export all; };
}`;
}

function birdConfiguration(hasKernel: boolean): string {
  return `router id ${SPEAKER.address};
log stderr { fatal };
protocol device { }
${hasKernel ? 'protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }' : ''}
${birdPeer(FEEDER, 'feeder')}
${birdPeer(RECEIVER, 'receiver')}
`;
}

function commandOf(daemon: Daemon, hasKernel: boolean): string[] {
  if (daemon === 'ours') {
    const { profile } = options;
    const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
    return [process.execPath, ...flags, join(HERE, 'bgp_speaker.ts'), hasKernel ? 'kernel' : 'rib'];
  }
  const file = join(directory, 'bird.conf');
  writeFileSync(file, birdConfiguration(hasKernel));
  return ['/usr/sbin/bird', '-f', '-c', file, '-s', join(directory, 'bird.ctl')];
}

async function measure(daemon: Daemon, count: number, hasKernel: boolean): Promise<Sample> {
  await flushRoutes();
  const speaker = start(inside, commandOf(daemon, hasKernel));
  const endpoints = start(outside, [
    process.execPath,
    join(HERE, 'bgp_endpoints.ts'),
    String(count),
  ]);
  const fib = hasKernel
    ? start(inside, [process.execPath, join(HERE, 'bgp_fib.ts'), String(count)])
    : undefined;
  try {
    const [line, inKernel] = await Promise.all([
      firstLine(endpoints, 120_000),
      fib === undefined ? undefined : firstLine(fib, 120_000),
    ]);
    const { start: from, received } = JSON.parse(line) as { start: number; received: number };
    const until = inKernel === undefined ? received : Number(inKernel);
    return { seconds: (until - from) / 1000, ...usageOf(speaker.pid ?? 0) };
  } finally {
    await Promise.all([speaker, endpoints, ...(fib === undefined ? [] : [fib])].map(stop));
  }
}

/** `ip` gives up in between when there are very many. */
async function flushRoutes(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { code } = await exec(['ip', '-n', inside, 'route', 'flush', 'proto', 'bird']);
    if (code === 0) return;
  }
}

/** `ip netns exec` replaces itself by the program, so the child's process is the speaker's. */
function usageOf(pid: number): Omit<Sample, 'seconds'> {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const peak = /VmHWM:\s+([0-9]+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const cpu = (Number(fields[11]) + Number(fields[12])) / 100;
  return { cpu, megabytes: Number(peak) / 1024 };
}

function median(samples: readonly Sample[], field: keyof Sample): number {
  return percentile(
    samples.map((sample) => sample[field]),
    50,
  );
}

async function run(): Promise<void> {
  process.stdout.write(
    `${'routes, until'.padEnd(22)}  daemon  seconds  CPU s     MB   ratio of seconds to BIRD 2\n`,
  );
  for (const count of options.counts.split(',').map(Number)) {
    for (const hasKernel of options.kernel === 'no' ? [false] : [false, true]) {
      const samples: Record<Daemon, Sample[]> = { ours: [], 'bird 2': [] };
      for (let round = 0; round < Number(options.repeat); round++) {
        for (const daemon of ['bird 2', 'ours'] as const) {
          samples[daemon].push(await measure(daemon, count, hasKernel));
        }
      }
      const bird = median(samples['bird 2'], 'seconds');
      for (const daemon of ['bird 2', 'ours'] as const) {
        const seconds = median(samples[daemon], 'seconds');
        const cells = [
          `${count}, ${hasKernel ? 'kernel' : 'receiver'}`.padEnd(22),
          daemon.padEnd(6),
          seconds.toFixed(3).padStart(7),
          median(samples[daemon], 'cpu').toFixed(2).padStart(5),
          median(samples[daemon], 'megabytes').toFixed(0).padStart(5),
          (seconds / bird).toFixed(2).padStart(6),
        ];
        process.stdout.write(`${cells.join('  ')}\n`);
      }
    }
  }
}

try {
  for (const namespace of [inside, outside]) await execOk(['ip', 'netns', 'add', namespace]);
  await execOk(`ip link add s0 netns ${inside} type veth peer name w0 netns ${outside}`.split(' '));
  const addresses = [
    [inside, 's0', SPEAKER.address],
    [outside, 'w0', FEEDER.address],
    [outside, 'w0', RECEIVER.address],
  ] as const;
  for (const [namespace, device, address] of addresses) {
    await execOk(['ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', device]);
    await execOk(['ip', '-n', namespace, 'link', 'set', device, 'up']);
  }
  await run();
} finally {
  await Promise.all([...children].map(stop));
  for (const namespace of [inside, outside]) await exec(['ip', 'netns', 'delete', namespace]);
  rmSync(directory, { recursive: true });
}
