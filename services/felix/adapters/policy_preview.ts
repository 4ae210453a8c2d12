// What a change of resources would do to this node: pairs whose verdict changes, and connections that would be cut.
import { setImmediate as turn } from 'node:timers/promises';
import { type AnyResource, KINDS, type Kind, parseStored, ValidationError } from '@calico/model';
import type { PreviewRequest } from '@calico/proto/felix/v1/policy';
import { RpcError } from '@calico/rpc';
import { compile } from '../core/policy/compiler/compile.ts';
import { firstPacket } from '../core/policy/connections/connection.ts';
import { judgeConnections } from '../core/policy/connections/forbidden.ts';
import type { Packet } from '../core/policy/evaluator/packet.ts';
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
/** Pairs between two looks at the clock. */
const PAIRS_PER_TURN = 200;

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
    ...cutBy(after, ruleset, connections),
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
    else if (++looked % PAIRS_PER_TURN === 0) await turn();
    if (changes.length >= MOST_CHANGES || performance.now() > end) {
      return { changes, truncated: true };
    }
  }
  return { changes, truncated: false };
}

function cutBy(after: PolicyInputs, before: EnforcedPolicy['ruleset'], table: ConnectionTable) {
  const { cutBit } = filterSettings(after.felixConfiguration, after.ipPools);
  if (cutBit === undefined) {
    return { cut: [], cutUnknown: 'connections: Keep is configured, so none is cut' };
  }
  const interfaceOf = table.interfaceOf.bind(table);
  try {
    const ruleset = compile(after);
    const { cut } = judgeConnections({
      connections: table.list(),
      before,
      after: ruleset,
      interfaceOf,
      cutBit,
    });
    return {
      cut: cut.slice(0, MOST_CUT).map((connection) => {
        const packet = firstPacket(connection, interfaceOf);
        return {
          flow: flowMessage(packet),
          ...namesOf(after, packet),
          because:
            evaluate(ruleset, packet)
              .trace.at(-1)
              ?.replace(/^\S+: /, '') ?? '',
        };
      }),
      cutUnknown: cut.length > MOST_CUT ? `${cut.length - MOST_CUT} more are not listed` : '',
    };
  } catch (cause) {
    return { cut: [], cutUnknown: cause instanceof Error ? cause.message : String(cause) };
  }
}

function namesOf({ workloadEndpoints }: PolicyInputs, packet: Packet) {
  const { source, destination } = flowMessage(packet);
  const nameFor = (address: string): string => {
    const owner = workloadEndpoints.find(({ spec }) =>
      spec.ipNetworks?.some((net) => net.split('/')[0] === address),
    );
    return owner === undefined ? address : nameOf(owner);
  };
  return { from: nameFor(source), to: nameFor(destination) };
}
