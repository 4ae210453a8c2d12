// What a change of resources would do to this node: pairs whose verdict changes, and connections that would be cut.
import { setImmediate as turn } from 'node:timers/promises';
import {
  type AnyResource,
  KINDS,
  type Kind,
  parseStored,
  ValidationError,
  type WorkloadEndpoint,
} from '@calico/model';
import type { PreviewRequest } from '@calico/proto/felix/v1/policy';
import { RpcError } from '@calico/rpc';
import { compile } from '../core/policy/compiler/compile.ts';
import {
  firstPacket,
  remembering,
  type TrackedConnection,
} from '../core/policy/connections/connection.ts';
import { connectionJudge } from '../core/policy/connections/forbidden.ts';
import { evaluate } from '../core/policy/evaluator/ruleset_evaluator.ts';
import { nameOf } from '../core/policy/explain/owners.ts';
import { type VerdictChange, verdictChanges } from '../core/policy/explain/verdict_changes.ts';
import { changedWorld, PREVIEWED_KINDS } from '../core/policy/explain/world_change.ts';
import { filterSettings } from '../core/policy/meaning/settings.ts';
import type { ConnectionTable, PolicyInputs } from '../ports.ts';
import { flowMessage } from './policy_flow.ts';
import type { EnforcedPolicy } from './policy_handlers.ts';

const MOST_CHANGES = 1_000;
const MOST_CUT = 200;
const MOST_MS = 5_000;
/** Pairs, and connections, between two looks at the clock. */
const PER_TURN = 200;

export async function preview(
  { inputs, ruleset }: EnforcedPolicy,
  request: PreviewRequest,
  connections: ConnectionTable,
) {
  const after = changedWorld(inputs, {
    put: request.put.map(({ kind, json }) => read(kind, json)),
    removed: request.removed,
  });
  const { changes, truncated } = await collect(
    verdictChanges(inputs, after, (address) => connections.interfaceOf(address)),
  );
  return {
    node: inputs.node,
    changes: changes.map(({ packet, ...change }) => ({ ...change, flow: flowMessage(packet) })),
    truncated,
    ...(await cutBy(after, ruleset, connections)),
  };
}

function read(kind: string, json: string): AnyResource {
  if (!Object.hasOwn(KINDS, kind) || !PREVIEWED_KINDS.includes(kind)) {
    const message = `Cannot preview kind "${kind}": expected one of ${PREVIEWED_KINDS.join(', ')}`;
    throw new RpcError('INVALID_ARGUMENT', message);
  }
  try {
    return parseStored(kind as Kind, json);
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    throw new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  }
}

/** Lets others have their turn, and ends in time. */
async function collect(
  pairs: Generator<VerdictChange | undefined>,
): Promise<{ changes: VerdictChange[]; truncated: boolean }> {
  const end = performance.now() + MOST_MS;
  const changes: VerdictChange[] = [];
  let looked = 0;
  for (const change of pairs) {
    if (change !== undefined) changes.push(change);
    else if (++looked % PER_TURN === 0) await turn();
    if (changes.length >= MOST_CHANGES || performance.now() > end) {
      return { changes, truncated: true };
    }
  }
  return { changes, truncated: false };
}

async function cutBy(
  after: PolicyInputs,
  before: EnforcedPolicy['ruleset'],
  table: ConnectionTable,
) {
  const { cutBit } = filterSettings(after.felixConfiguration, after.ipPools);
  if (cutBit === undefined) {
    return { cut: [], cutUnknown: 'connections: Keep is configured, so none is cut' };
  }
  const interfaceOf = remembering((address) => table.interfaceOf(address));
  try {
    const ruleset = compile(after);
    const judge = connectionJudge({ before, after: ruleset, interfaceOf, cutBit });
    const { cut, unseen } = await judgeInTurns(table.list(), judge);
    const nameFor = namesOf(after);
    return {
      cut: cut.slice(0, MOST_CUT).map((connection) => {
        const packet = firstPacket(connection, interfaceOf);
        const flow = flowMessage(packet);
        return {
          flow,
          from: nameFor(flow.source),
          to: nameFor(flow.destination),
          because:
            evaluate(ruleset, packet)
              .trace.at(-1)
              ?.replace(/^\S+: /, '') ?? '',
        };
      }),
      cutUnknown: [
        cut.length > MOST_CUT ? `${cut.length - MOST_CUT} more are not listed` : [],
        unseen > 0 ? `${unseen} connections were not judged for lack of time` : [],
      ]
        .flat()
        .join('; '),
    };
  } catch (cause) {
    return { cut: [], cutUnknown: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** Lets others have their turn, and ends in time. */
async function judgeInTurns(
  connections: readonly TrackedConnection[],
  judge: ReturnType<typeof connectionJudge>,
): Promise<{ cut: TrackedConnection[]; unseen: number }> {
  const end = performance.now() + MOST_MS;
  const cut: TrackedConnection[] = [];
  let seen = 0;
  while (seen < connections.length && performance.now() < end) {
    cut.push(...judge(connections.slice(seen, seen + PER_TURN)).cut);
    seen = Math.min(seen + PER_TURN, connections.length);
    await turn();
  }
  return { cut, unseen: connections.length - seen };
}

/** An address' pod, else the address. */
function namesOf({ workloadEndpoints }: PolicyInputs): (address: string) => string {
  const owners = new Map<string, WorkloadEndpoint>();
  for (const endpoint of workloadEndpoints.toReversed()) {
    for (const net of endpoint.spec.ipNetworks ?? []) owners.set(net.split('/')[0] ?? '', endpoint);
  }
  return (address) => {
    const owner = owners.get(address);
    return owner === undefined ? address : nameOf(owner);
  };
}
