// Lists of full states of a cluster, and other lists that go through the same states in another way, for tests that
// ask whether the way matters.
import type { PolicyInputs } from '../../../ports.ts';

export type States = readonly PolicyInputs[];

const LISTS = [
  'networkPolicies',
  'globalNetworkPolicies',
  'tiers',
  'profiles',
  'networkSets',
  'globalNetworkSets',
  'hostEndpoints',
] as const;

/** Every expander keeps the last state; in between come others, fewer or more. */
export const EXPANDERS: Readonly<Record<string, (states: States) => States>> = {
  'as they are': (states) => states,
  'there and back': (states) => [...states, ...states.toReversed(), ...states.slice(-1)],
  'with nothing in between': (states) => states.flatMap((state) => [empty(state), state]),
  'the last one only': (states) => states.slice(-1),
  'twice each': (states) => states.flatMap((state) => [state, state]),
  'resource by resource': (states) =>
    states.flatMap((state, index) => [...between(states[index - 1] ?? empty(state), state), state]),
};

/** A cluster without anything; the settings stay. */
function empty(state: PolicyInputs): PolicyInputs {
  const nothing = Object.fromEntries(LISTS.map((list) => [list, []]));
  return { ...state, ...nothing, localEndpoints: [], workloadEndpoints: [] };
}

/** The states that a cluster goes through when its resources are changed one after the other. */
function between(from: PolicyInputs, to: PolicyInputs): PolicyInputs[] {
  const steps: PolicyInputs[] = [];
  let now: PolicyInputs = {
    ...from,
    localEndpoints: to.localEndpoints,
    workloadEndpoints: to.workloadEndpoints,
  };
  for (const list of LISTS) {
    for (const [index] of to[list].entries()) {
      const rest = from[list].filter((old) => !to[list].some((one) => isSame(one, old)));
      now = { ...now, [list]: [...to[list].slice(0, index + 1), ...rest] };
      steps.push(now);
    }
    now = { ...now, [list]: to[list] };
    steps.push(now);
  }
  return steps;
}

type Named = {
  readonly metadata: { readonly namespace?: string | undefined; readonly name: string };
};

function isSame(a: Named, b: Named): boolean {
  return a.metadata.name === b.metadata.name && a.metadata.namespace === b.metadata.namespace;
}
