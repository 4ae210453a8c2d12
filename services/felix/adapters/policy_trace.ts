// Follows one packet through the packet filter of this node, and sends it when it begins at one of its pods.
import { setTimeout as sleep } from 'node:timers/promises';
import { formatAddress } from '@calico/ip';
import { systemLibc, withNetns } from '@calico/netlink';
import { NftablesError, openPacketTrace, type TraceStep } from '@calico/nftables';
import type { TraceRequest } from '@calico/proto/felix/v1/policy';
import type { Ruleset } from '../core/policy/compiler/ruleset.ts';
import { policyRuleTitle } from '../core/policy/explain/policy_rule_title.ts';
import { probeFrame } from '../core/policy/explain/probe_packet.ts';
import { HOST_MAC, type WorkloadRecord } from '../core/workload.ts';
import { flowOf, type PlainFlow } from './policy_flow.ts';

const TABLE = 'calico';
const MOST_MS = 10_000;
const LOOK_EVERY_MS = 50;
/** More than a packet can meet: something else matched too. */
const MOST_STEPS = 200;

export type TraceSources = {
  readonly node: string;
  /** Workloads of this node. */
  readonly workloads: () => readonly WorkloadRecord[];
  readonly interfaceName: (index: number) => string | undefined;
};

export async function trace(
  sources: TraceSources,
  ruleset: Ruleset | undefined,
  request: TraceRequest,
) {
  const { node, interfaceName } = sources;
  const flow = flowOf(request.flow);
  const { source, destination, protocol, sourcePort, destinationPort } = flow;
  const sender = request.send ? senderOf(sources.workloads(), flow) : undefined;
  if (request.send && sender === undefined) {
    return { node, steps: [], problem: `no pod of this node has ${formatAddress(source)}` };
  }
  try {
    const watch = await openPacketTrace({
      table: TABLE,
      interfaceName,
      packet: {
        family: source.family,
        source: formatAddress(source),
        destination: formatAddress(destination),
        protocol,
        ports:
          destinationPort === 0 ? undefined : { source: sourcePort, destination: destinationPort },
      },
    });
    const steps: TraceStep[] = [];
    try {
      if (sender !== undefined) sendFrom(sender, flow);
      const end = performance.now() + Math.min(request.milliseconds, MOST_MS);
      while (performance.now() < end && steps.length < MOST_STEPS) {
        await sleep(LOOK_EVERY_MS);
        steps.push(...watch.steps());
      }
    } finally {
      await watch.close();
    }
    const own = ofFirstPacket(steps).slice(0, MOST_STEPS);
    return {
      node,
      steps: ruleset ? own.map((step) => named(step, ruleset, flow)) : own,
      problem: '',
    };
  } catch (cause) {
    if (!(cause instanceof NftablesError)) throw cause;
    return { node, steps: [], problem: cause.message };
  }
}

/** With the rule of the policy that a look-up found. */
function named(step: TraceStep, ruleset: Ruleset, flow: PlainFlow): TraceStep {
  if (step.table !== TABLE) return step;
  return { ...step, rule: policyRuleTitle(ruleset, step.chain, step.rule, flow) };
}

/** An answer to an answer looks the same from outside. No packet meets a rule twice. */
function ofFirstPacket(steps: readonly TraceStep[]): readonly TraceStep[] {
  const [first] = steps;
  const next = steps.findIndex(
    ({ table, chain, rule }, index) =>
      index > 0 && table === first?.table && chain === first.chain && rule === first.rule,
  );
  return next < 0 ? steps : steps.slice(0, next);
}

function senderOf(
  workloads: readonly WorkloadRecord[],
  { source }: PlainFlow,
): WorkloadRecord | undefined {
  const text = formatAddress(source);
  return workloads.find(({ addresses }) => addresses.some(({ address }) => address === text));
}

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 0x80003;

/** Out of the pod's own interface, so that it comes in where the pod's packets do. */
function sendFrom({ workload, containerMac }: WorkloadRecord, flow: PlainFlow): void {
  const frame = probeFrame(flow, macBytes(containerMac), macBytes(HOST_MAC));
  withNetns(workload.netns, () => {
    const libc = systemLibc();
    const fd = libc.socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0);
    if (fd < 0) throw new NftablesError(`Cannot send a probe: errno ${libc.errno()}`);
    try {
      // struct sockaddr_ll: family, protocol, interface, and what only receivers are told.
      const address = new Uint8Array(20);
      const view = new DataView(address.buffer);
      view.setUint16(0, AF_PACKET, true);
      view.setInt32(4, libc.interfaceIndex(workload.interfaceName), true);
      if (libc.bind(fd, address) < 0 || libc.send(fd, frame, 0) < 0) {
        throw new NftablesError(`Cannot send a probe: errno ${libc.errno()}`);
      }
    } finally {
      libc.close(fd);
    }
  });
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
}
