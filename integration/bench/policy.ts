// What policy costs: from a snapshot, and from one event, to the kernel, through Felix' agent.
//
//   node --expose-gc integration/bench/policy.ts [--changes N] [world …]
//
// Worlds: see policy_worlds.ts; without any: all, some two minutes. Needs root: works in a network namespace of its own.
// An event is timed from its text until the packet filter has it, after a rest; CPU is that of the whole process,
// the kernel's work for it included.
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { AnyResource } from '@calico/model';
import { execOk } from '../lab/exec.ts';
import { circumstances, markdownTable, percentile } from './figures.ts';
import { eventOf, PolicyAgent } from './policy_agent.ts';
import {
  endpoint,
  NODE,
  networkSet,
  policy,
  resources,
  WORLDS,
  type World,
} from './policy_worlds.ts';

/** Longer than Felix lets changes wait for each other. */
const REST_MS = 30;
const { values, positionals } = parseArgs({
  options: { changes: { type: 'string', default: '100' } },
  allowPositionals: true,
});
const changes = Number(values.changes);
const namespace = `bench-${randomBytes(3).toString('hex')}`;
await execOk(['ip', 'netns', 'add', namespace]);
try {
  console.log(`${circumstances()}\n`);
  const rows = [];
  for (const world of WORLDS) {
    if (positionals.length > 0 && !positionals.includes(world.name)) continue;
    rows.push(await measure(world));
    await nft('flush', 'ruleset');
  }
  console.log(markdownTable(rows));
} finally {
  await execOk(['ip', 'netns', 'del', namespace]);
}

function nft(...words: readonly string[]): Promise<string> {
  return execOk(['ip', 'netns', 'exec', namespace, 'nft', ...words]);
}

async function measure(world: World): Promise<Record<string, string>> {
  const snapshot = [...resources(world)].map(eventOf);
  const heap = heapUsed();
  const agent = new PolicyAgent(NODE, `/run/netns/${namespace}`);
  try {
    const { read, commit } = await agent.start(snapshot);
    return {
      world: world.name,
      'snapshot read s': (read / 1000).toFixed(1),
      'to kernel s': (commit / 1000).toFixed(1),
      'heap MB': ((heapUsed() - heap) / 1e6).toFixed(0),
      ...(await kernelCounts()),
      ...(await changesOf(world, agent)),
    };
  } finally {
    agent.close();
  }
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function changesOf(world: World, agent: PolicyAgent): Promise<Record<string, string>> {
  const here = { ...world, local: Number.POSITIVE_INFINITY };
  const namespacesHere = Math.min(world.local, world.namespaces);
  const elsewhere = world.endpoints > world.local ? world.endpoints - 1 : 0;
  const kinds: Record<string, (turn: number) => AnyResource> = {
    'pod elsewhere': (turn) => endpoint(world, world.endpoints + turn),
    'pod here': (turn) => endpoint(here, world.endpoints + 2 * changes + turn),
    'label elsewhere': (turn) => endpoint(world, elsewhere - turn, `role${turn}`),
    'label here': (turn) => endpoint(world, turn % world.local, turn % 2 === 0 ? 'db' : 'web'),
    policy: (turn) => policy(world, turn % namespacesHere, 0, 8001 + turn),
    'set member': (turn) => networkSet(world, 1, turn + 1),
  };
  const result: Record<string, string> = {};
  for (const [name, make] of Object.entries(kinds)) {
    const isMissing =
      (name === 'set member' && world.nets === undefined) ||
      (name === 'label elsewhere' && elsewhere === 0);
    result[name] = isMissing ? '' : await timesOf(agent, make);
  }
  return result;
}

/** Milliseconds "p50 / p99 (the same of CPU)": where others use the machine, only the latter says what a change costs. */
async function timesOf(agent: PolicyAgent, make: (turn: number) => AnyResource): Promise<string> {
  const times: number[] = [];
  const cpu: number[] = [];
  for (let turn = 0; turn < changes; turn++) {
    const event = eventOf(make(turn));
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const before = process.cpuUsage();
    times.push(await agent.change(event));
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
  }
  const [wall, own] = [times, cpu].map((all) =>
    [50, 99].map((part) => percentile(all, part).toFixed(1)).join(' / '),
  );
  return `${wall} (${own})`;
}

async function kernelCounts(): Promise<Record<string, string>> {
  const { nftables } = JSON.parse(await nft('-j', '-t', 'list', 'ruleset')) as {
    nftables: Record<string, unknown>[];
  };
  const count = (...kinds: readonly string[]): string =>
    String(nftables.filter((object) => kinds.some((kind) => kind in object)).length);
  return { rules: count('rule'), sets: count('set', 'map') };
}
