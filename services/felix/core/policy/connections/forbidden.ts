// Which connections a change of policy cuts.
import type { Ruleset } from '../compiler/ruleset.ts';
import { evaluate } from '../evaluator/ruleset_evaluator.ts';
import { firstPacket, type InterfaceOf, isExpected, type TrackedConnection } from './connection.ts';

export type Verdicts = {
  /** To be cut: permitted before, forbidden now. */
  readonly cut: readonly TrackedConnection[];
  /** Cut earlier, and permitted now: to be forgotten, so that they can begin anew. */
  readonly freed: readonly TrackedConnection[];
};

export type Judgement = {
  readonly connections: readonly TrackedConnection[];
  /** Undefined: not known, as after a start; then all that is forbidden now is cut. */
  readonly before: Ruleset | undefined;
  readonly after: Ruleset;
  readonly interfaceOf: InterfaceOf;
  /** The bit of the mark of what is cut. */
  readonly cutBit: number;
};

/** Judges each connection as if it began now. Pure. */
export function judgeConnections(judgement: Judgement): Verdicts {
  const { connections, before, after, interfaceOf, cutBit } = judgement;
  const cut: TrackedConnection[] = [];
  const freed: TrackedConnection[] = [];
  for (const connection of connections) {
    if (isExpected(connection)) continue;
    const packet = firstPacket(connection, interfaceOf);
    const isPermitted = evaluate(after, packet).outcome === 'accept';
    const isCut = (connection.mark & cutBit) !== 0;
    if (isPermitted && isCut) freed.push(connection);
    if (isPermitted || isCut) continue;
    const wasPermitted = before === undefined || evaluate(before, packet).outcome === 'accept';
    if (wasPermitted) cut.push(connection);
  }
  return { cut, freed };
}
