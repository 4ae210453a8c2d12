// The kernel against both evaluators: for random policies, endpoints and packets all three must say the same.
// A failure prints the seed and the smallest world and probes that still fail; CALICO_DIFFERENTIAL_SEED runs it
// again. CALICO_DIFFERENTIAL_WORLDS says how many worlds are tried.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, test } from 'node:test';
import { parseAddress } from '@calico/ip';
import * as fc from 'fast-check';
import { openPacketFilter } from '../../services/felix/adapters/packet_filter.ts';
import { compile } from '../../services/felix/core/policy/compiler/compile.ts';
import type { Ruleset } from '../../services/felix/core/policy/compiler/ruleset.ts';
import { maskedMaps } from '../../services/felix/core/policy/evaluator/masked_maps.ts';
import type { Outcome, Packet } from '../../services/felix/core/policy/evaluator/packet.ts';
import { evaluate } from '../../services/felix/core/policy/evaluator/ruleset_evaluator.ts';
import { lookupWorlds, worlds } from '../../services/felix/core/policy/random/worlds.ts';
import { judge } from '../../services/felix/core/policy/reference/judge.ts';
import type { PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import { PLACES } from './differential/network.ts';
import {
  answerTo,
  independent,
  type Probe,
  probe,
  probeText,
  stateOf,
} from './differential/probe.ts';
import { addressOf, Rig } from './differential/rig.ts';
import { hasSctpSockets } from './differential/sockets.ts';
import { SILENT } from './node_fixture.ts';

const WORLDS = Number(process.env['CALICO_DIFFERENTIAL_WORLDS'] ?? 400);
const SEED = Number(process.env['CALICO_DIFFERENTIAL_SEED'] ?? randomInt(2 ** 31));
/** Ends what hangs: one world takes a tenth of a second. */
const TIME_LIMIT_MS = 1_200_000;
/** Names of the nodes in the random worlds. */
const NODES = { 'node-a': 'node', 'node-b': 'other' } as const;
type NodeName = keyof typeof NODES;
/** On one of them nets are blocks wherever two are alike, on the other ranges. */
const FORMS = { 'node-a': { fewestBlocks: 2 }, 'node-b': {} } as const;
const NODE_NAMES = Object.keys(NODES) as NodeName[];

const rig = new Rig();
const filters = new Map<NodeName, PacketFilter>();

before(async () => {
  await rig.up();
  for (const node of NODE_NAMES) {
    const netns = rig.network.netns(node);
    filters.set(node, openPacketFilter({ logger: SILENT, netns, compile: FORMS[node] }));
  }
});
after(async () => {
  for (const filter of filters.values()) filter.close();
  await rig.down();
});

function seenFrom(node: NodeName, world: PolicyInputs): PolicyInputs {
  const name = NODES[node];
  const local = world.workloadEndpoints.filter(({ spec }) => spec.node === name);
  return { ...world, node: name, localEndpoints: local };
}

/** The packet as one node sees it; undefined: it does not come by there. */
function packetAt(
  node: NodeName,
  one: Probe,
  state: Packet['state'] = stateOf(one),
): Packet | undefined {
  const [from, to] = [PLACES[one.from], PLACES[one.to]];
  const isOnWay = [from.node ?? 'node-a', to.node ?? 'node-a'].includes(node);
  if (!isOnWay) return undefined;
  return {
    inputInterface: deviceAt(node, one.from),
    outputInterface: deviceAt(node, one.to),
    source: parseAddress(addressOf(one.from, one.family)),
    destination: parseAddress(addressOf(one.to, one.family)),
    protocol: one.protocol,
    sourcePort: one.sourcePort,
    destinationPort: one.destinationPort,
    icmpType: one.icmpType,
    icmpCode: one.icmpCode,
    state,
  };
}

function deviceAt(node: NodeName, name: Probe['from']): string {
  const place = PLACES[name];
  return (place.node ?? 'node-a') === node ? place.device : 'eth0';
}

type Judge = (node: NodeName, packet: Packet) => Outcome;
type Expected = { readonly arrives: boolean; readonly isAnswered: boolean };

/** By both nodes that it passes. */
function passes(one: Probe, state: Packet['state'], judgeOn: Judge): boolean {
  return NODE_NAMES.every((node) => {
    const packet = packetAt(node, one, state);
    return packet === undefined || judgeOn(node, packet) === 'accept';
  });
}

function expected(one: Probe, judgeOn: Judge): Expected {
  const arrives = passes(one, stateOf(one), judgeOn);
  return { arrives, isAnswered: arrives && passes(answerTo(one), 'established', judgeOn) };
}

const counts = { worlds: 0, lookups: 0, masked: 0, blocks: 0, probes: 0, arrived: 0, answered: 0 };
/** Sent and arrived. */
const byProtocol = new Map<number, [number, number]>();

async function tryWorld(world: PolicyInputs, generated: readonly Probe[]): Promise<void> {
  const probes = independent(generated, counts.probes);
  const views = new Map(NODE_NAMES.map((node) => [node, seenFrom(node, world)]));
  const viewOf = (node: NodeName): PolicyInputs => views.get(node) ?? world;
  const rulesets = new Map(NODE_NAMES.map((node) => [node, compile(viewOf(node), FORMS[node])]));
  const byResources: Judge = (node, packet) => judge(viewOf(node), packet);
  const byRuleset: Judge = (node, packet) => {
    const ruleset = rulesets.get(node);
    return ruleset === undefined ? 'drop' : evaluate(ruleset, packet).outcome;
  };
  for (const [node, filter] of filters) await filter.apply(viewOf(node));
  // What is not tracked has no answers, only packets of its own.
  const isTracked = world.globalNetworkPolicies.every(({ spec }) => spec.doNotTrack !== true);
  const observations = await rig.round(probes);
  const wrong = probes.flatMap((one, index) => {
    const { arrived = false, answered: answer } = observations[index] ?? {};
    const answered = isTracked ? answer : undefined;
    count(one, arrived, answered);
    const kernel = { arrives: arrived, isAnswered: answered };
    const reference = expected(one, byResources);
    const compiled = expected(one, byRuleset);
    if (agree(kernel, reference) && agree(kernel, compiled)) return [];
    return [`${probeText(one)}: ${JSON.stringify({ kernel, compiled, reference })}`];
  });
  counts.worlds++;
  counts.lookups += Number([...rulesets.values()].some(hasLookups));
  counts.masked += Number([...rulesets.values()].some((one) => maskedMaps(one).size > 0));
  counts.blocks += Number([...rulesets.values()].some(hasBlocks));
  assert.deepEqual(wrong, []);
}

function hasLookups({ sets }: Ruleset): boolean {
  return sets.values().some(({ kind }) => kind === 'counter-map');
}

/** Of more than one address: they are asked for under a mask. */
function hasBlocks({ sets }: Ruleset): boolean {
  return sets.keys().some((name) => /^nets[46]-/u.test(name));
}

type Seen = { readonly arrives: boolean; readonly isAnswered: boolean | undefined };

function agree(kernel: Seen, { arrives, isAnswered }: Expected): boolean {
  return kernel.arrives === arrives && (kernel.isAnswered ?? isAnswered) === isAnswered;
}

function count({ protocol }: Probe, arrived: boolean, answered = false): void {
  counts.probes++;
  counts.arrived += Number(arrived);
  counts.answered += Number(answered);
  const [sent, received] = byProtocol.get(protocol) ?? [0, 0];
  byProtocol.set(protocol, [sent + 1, received + Number(arrived)]);
}

test('the kernel, the compiled ruleset and the policies agree on every probe', async (t) => {
  t.diagnostic(`seed ${SEED}`);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ weight: 3, arbitrary: worlds }, { weight: 2, arbitrary: lookupWorlds }),
      fc.array(probe, { minLength: 1, maxLength: 260, size: 'max' }),
      tryWorld,
    ),
    {
      seed: SEED,
      numRuns: WORLDS,
      interruptAfterTimeLimit: TIME_LIMIT_MS,
      markInterruptAsFailure: true,
    },
  );
  const protocols = [...byProtocol].map(([number, [sent, got]]) => `${number}: ${got} of ${sent}`);
  t.diagnostic(JSON.stringify(counts));
  t.diagnostic(`arrived, by protocol: ${protocols.join(', ')}`);
  if (!hasSctpSockets()) {
    t.diagnostic('SCTP: this kernel has no sockets for it, so the INIT chunks are made by hand');
  }
  // Less than that says little.
  if (WORLDS < 200) return;
  assert.ok(counts.probes >= 20_000 && counts.arrived > 4_000);
  // Of 400 worlds they are in some 170 and 50.
  assert.ok(counts.lookups > 60 && counts.blocks > 8);
});
