// What policy costs: from a snapshot, and one change of it, to the kernel.
//
//   node integration/bench/policy.ts [world …]     worlds: see policy_worlds.ts; without any: all
//
// Needs root: works in a network namespace of its own.
import { randomBytes } from 'node:crypto';
import type { AnyResource } from '@calico/model';
import { openPacketFilter } from '../../services/felix/adapters/packet_filter.ts';
import { PolicyInputSource } from '../../services/felix/core/policy_input_source.ts';
import { execOk } from '../lab/exec.ts';
import { percentile } from './figures.ts';
import {
  endpoint,
  NODE,
  networkSet,
  policy,
  put,
  snapshot,
  WORLDS,
  type World,
} from './policy_worlds.ts';

const REPEATS = 100;
const SILENT = { debug() {}, info() {}, warn: console.warn, error: console.error };

const wanted = process.argv.slice(2);
const namespace = `bench-${randomBytes(3).toString('hex')}`;
await execOk(['ip', 'netns', 'add', namespace]);
try {
  const rows = [];
  for (const world of WORLDS) {
    if (wanted.length > 0 && !wanted.includes(world.name)) continue;
    rows.push(await measure(world));
    await execOk(['ip', 'netns', 'exec', namespace, 'nft', 'flush', 'ruleset']);
  }
  console.table(rows);
} finally {
  await execOk(['ip', 'netns', 'del', namespace]);
}

async function measure(world: World): Promise<Record<string, string>> {
  const view = snapshot(world);
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  const source = new PolicyInputSource(NODE, view, () => []);
  const apply = () => filter.apply(source.inputs(view.endpointsOf(NODE)));
  const filter = openPacketFilter({ logger: SILENT, netns: `/run/netns/${namespace}` });
  try {
    const started = performance.now();
    await apply();
    const startUp = performance.now() - started;
    globalThis.gc?.();
    const memory = process.memoryUsage().heapUsed - heap;
    const change = async (make: (turn: number) => AnyResource, repeats = REPEATS) => {
      const times: number[] = [];
      for (let turn = 0; turn < repeats; turn++) {
        const resource = make(turn);
        const before = performance.now();
        put(view, resource);
        await apply();
        times.push(performance.now() - before);
        // Between changes there is time to clean up.
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return `${percentile(times, 50).toFixed(1)} / ${percentile(times, 99).toFixed(1)}`;
    };
    const last = world.endpoints - 1;
    const namespacesHere = Math.min(world.local, world.namespaces);
    return {
      world: world.name,
      'start-up s': (startUp / 1000).toFixed(2),
      'memory MB': (memory / 1e6).toFixed(0),
      ...(await kernelCounts()),
      'pod elsewhere': await change((turn) => endpoint(world, world.endpoints + turn)),
      'pod here': await change((turn) =>
        endpoint({ ...world, local: Infinity }, world.endpoints + REPEATS + turn),
      ),
      label: await change((turn) => endpoint(world, last - turn, `role${turn}`)),
      policy: await change((turn) => policy(world, turn % namespacesHere, 0, 8001 + turn)),
      'set member':
        world.setMembers === 0
          ? ''
          : await change((turn) => networkSet(world.setMembers, 200_000 + turn), 20),
    };
  } finally {
    filter.close();
  }
}

async function kernelCounts(): Promise<Record<string, string>> {
  const text = await execOk([
    'ip',
    'netns',
    'exec',
    namespace,
    'nft',
    '-j',
    '-t',
    'list',
    'ruleset',
  ]);
  const { nftables } = JSON.parse(text) as { nftables: Record<string, unknown>[] };
  const count = (kind: string): string =>
    String(nftables.filter((object) => kind in object).length);
  return { rules: count('rule'), sets: count('set') };
}
