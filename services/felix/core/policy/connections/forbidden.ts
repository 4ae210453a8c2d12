// Which connections a change of policy cuts.
import type { Ruleset } from '../compiler/ruleset.ts';
import type { Packet } from '../evaluator/packet.ts';
import { evaluate } from '../evaluator/ruleset_evaluator.ts';
import { firstPacket, type InterfaceOf, isExpected, type TrackedConnection } from './connection.ts';

export type Verdicts = {
  /** To be cut: permitted before, forbidden now. */
  readonly cut: readonly TrackedConnection[];
  /** Cut earlier, and permitted now: to be forgotten, so that they can begin anew. */
  readonly freed: readonly TrackedConnection[];
};

export type Judgement = {
  /** Undefined: not known, as after a start; then all that is forbidden now is cut. */
  readonly before: Ruleset | undefined;
  readonly after: Ruleset;
  readonly interfaceOf: InterfaceOf;
  /** The bit of the mark of what is cut. */
  readonly cutBit: number;
};

/**
 * Judges each connection as if it began now. The list may come in parts: what one part has taught serves
 * the next.
 */
export function connectionJudge(
  judgement: Judgement,
): (connections: readonly TrackedConnection[]) => Verdicts {
  const { before, after, interfaceOf, cutBit } = judgement;
  const permits = judgeOf(after);
  const permitted = before && judgeOf(before);
  return (connections) => {
    const cut: TrackedConnection[] = [];
    const freed: TrackedConnection[] = [];
    for (const connection of connections) {
      if (isExpected(connection)) continue;
      const packet = firstPacket(connection, interfaceOf);
      const isPermitted = permits(packet);
      const isCut = (connection.mark & cutBit) !== 0;
      if (isPermitted && isCut) freed.push(connection);
      if (isPermitted || isCut) continue;
      if (permitted?.(packet) ?? true) cut.push(connection);
    }
    return { cut, freed };
  };
}

/** Remembers: many connections differ in nothing but the port they come from. */
function judgeOf(ruleset: Ruleset): (packet: Packet) => boolean {
  const known = new Map<string, boolean>();
  const looksAtSource = usesSourcePorts(ruleset);
  return (packet) => {
    const { source, destination, protocol, destinationPort, icmpType, icmpCode, dialled } = packet;
    const key = [
      packet.inputInterface,
      packet.outputInterface,
      source.family,
      source.value,
      destination.value,
      protocol,
      destinationPort,
      looksAtSource ? packet.sourcePort : '',
      icmpType,
      icmpCode,
      dialled === undefined ? '' : `${dialled.destination.value}:${dialled.port}`,
    ].join();
    const before = known.get(key);
    if (before !== undefined) return before;
    const isPermitted = evaluate(ruleset, packet).outcome === 'accept';
    known.set(key, isPermitted);
    return isPermitted;
  };
}

function usesSourcePorts({ chains }: Ruleset): boolean {
  return chains
    .values()
    .some(({ rules }) =>
      rules.some(({ statements }) =>
        statements.some(
          (statement) =>
            statement.kind === 'match' && statement.fields.some((field) => field.endsWith('sport')),
        ),
      ),
    );
}
