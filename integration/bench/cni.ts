// How long a pod's ADD takes as a process, and what the time is spent on.
//   node integration/bench/cni.ts --run-dir DIR      against a felix that runs (npm run lab -- up prints where)
//   node integration/bench/cni.ts --lab              brings a cluster up by itself
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FelixService } from '@calico/proto/felix/v1/felix';
import { connectRpc } from '@calico/rpc';
import { exec, execOk, Lab, nodeDirectories, ROOT } from '../lab/mod.ts';
import { formatTable, percentile } from './figures.ts';

const { values: options } = parseArgs({
  options: {
    'run-dir': { type: 'string' },
    lab: { type: 'boolean', default: false },
    count: { type: 'string', default: '50' },
    plugin: { type: 'string', default: join(ROOT, 'packages', 'cni', 'bin', 'calico') },
    json: { type: 'boolean', default: false },
  },
});

/** Milliseconds of one ADD. */
type Sample = {
  readonly whole: number;
  /** From the runtime's fork to the first line of our own code: sh and Node. */
  readonly start: number;
  /** Our own modules, node:http2 among them. */
  readonly load: number;
  /** From connecting to felix to its answer. */
  readonly call: number;
  /** Printing, and the end of the process. */
  readonly end: number;
};

const WARM_UP = 3;
const prefix = `cnb${randomBytes(3).toString('hex')}`;
const directory = mkdtempSync(join(tmpdir(), 'cni-bench-'));
const logFile = join(directory, 'cni.log');

async function withNetns<T>(name: string, work: (path: string) => Promise<T>): Promise<T> {
  await execOk(['ip', 'netns', 'add', name]);
  try {
    return await work(`/var/run/netns/${name}`);
  } finally {
    await exec(['ip', 'netns', 'delete', name]);
  }
}

function runPlugin(command: string, name: string, netns: string, runDir: string) {
  const config = {
    cniVersion: '1.1.0',
    name: 'bench',
    type: 'calico',
    ipam: { type: 'calico-ipam' },
    runDir,
    log_file_path: logFile,
    log_level: 'debug',
  };
  // An environment as small as a runtime's may be.
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: name,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
  };
  const { promise, resolve, reject } = Promise.withResolvers<[from: number, to: number]>();
  const from = performance.timeOrigin + performance.now();
  const child = spawn(options.plugin, [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.on('error', reject);
  child.on('close', (code) => {
    const to = performance.timeOrigin + performance.now();
    if (code === 0) resolve([from, to]);
    else reject(new Error(`Cannot ${command} "${name}": exit ${code}: ${output}`));
  });
  child.stdin.end(JSON.stringify(config));
  return promise;
}

async function sample(index: number, runDir: string): Promise<Sample> {
  const name = `${prefix}-${index}`;
  return withNetns(name, async (netns) => {
    rmSync(logFile, { force: true });
    const [from, to] = await runPlugin('ADD', name, netns, runDir);
    const { began, times } = JSON.parse(readFileSync(logFile, 'utf8')) as {
      began: number;
      times: Record<'launchedMs' | 'startedMs' | 'connectMs' | 'finishedMs', number>;
    };
    await runPlugin('DEL', name, netns, runDir);
    return {
      whole: to - from,
      start: began + times.launchedMs - from,
      load: times.connectMs - times.launchedMs,
      call: times.finishedMs - times.connectMs,
      end: to - (began + times.finishedMs),
    };
  });
}

/** The same request by a client that is warm already: what felix itself takes. */
async function felixAlone(index: number, runDir: string): Promise<number> {
  const client = connectRpc(FelixService, `unix:${join(runDir, 'felix.sock')}`);
  const name = `${prefix}-w${index}`;
  try {
    return await withNetns(name, async (netns) => {
      const workload = {
        containerId: name,
        netns,
        interfaceName: 'eth0',
        network: 'bench',
        namespace: 'default',
        pod: name,
      };
      await client.getReadiness({});
      const from = performance.now();
      await client.addWorkload(workload);
      const elapsed = performance.now() - from;
      await client.removeWorkload(workload);
      return elapsed;
    });
  } finally {
    client.close();
  }
}

async function measure(runDir: string): Promise<void> {
  const count = Number(options.count);
  for (let index = 0; index < WARM_UP; index += 1) await sample(index, runDir);
  const samples: Sample[] = [];
  const alone: number[] = [];
  for (let index = 0; index < count; index += 1) {
    samples.push(await sample(WARM_UP + index, runDir));
    alone.push(await felixAlone(index, runDir));
  }
  const column = (key: keyof Sample): number[] => samples.map((each) => each[key]);
  const rows = [
    ['whole ADD, as the runtime sees it', column('whole')],
    ['  sh and Node start', column('start')],
    ['  own modules and node:http2', column('load')],
    ['  call to felix, connecting included', column('call')],
    ['    felix alone (warm client)', alone],
    ['  log, print, end of the process', column('end')],
  ] as const;
  const figures = rows.map(([what, numbers]) => ({
    what,
    p50: percentile(numbers, 50),
    p95: percentile(numbers, 95),
  }));
  if (options.json) console.log(JSON.stringify({ count, figures }));
  else console.log(formatTable(`${count} sequential ADDs, milliseconds`, figures));
}

try {
  if (options['run-dir'] !== undefined) {
    await measure(options['run-dir']);
  } else if (options.lab) {
    const lab = await Lab.start({ mode: 'bgp', nodes: 1, log: (line) => console.error(line) });
    try {
      await lab.configure();
      const [node] = lab.topology.nodes;
      await measure(nodeDirectories(lab.directory, node?.name ?? '').run);
    } finally {
      await lab.stop();
    }
  } else {
    console.error('Cannot measure: give --run-dir DIR (of a running felix), or --lab');
    process.exitCode = 64;
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
