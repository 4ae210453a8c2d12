// From the interface of a pod to the program that judges it, by two look-ups: the pods that one program judges are a class.
//
//   iifname ─class map─→ class ─verdict map─→ program
//
// A pod more or less is an element of the class map, which leads to no chain: the kernel, which follows every element that
// does whenever one comes, meets as many as there are programs.
import type { ClassRef, Rule, Ruleset, Verdict } from './ruleset.ts';
import type { SetBuilder } from './set_builder.ts';

export type Dispatch = {
  readonly field: 'iifname' | 'oifname';
  /** The class map and the verdict map. */
  readonly classes: string;
  readonly map: string;
  /** Of its programs. */
  readonly direction: 'ingress' | 'egress';
};

export const FROM_POD: Dispatch = {
  field: 'iifname',
  classes: 'class/from-pod',
  map: 'program/from-pod',
  direction: 'egress',
};
export const TO_POD: Dispatch = {
  field: 'oifname',
  classes: 'class/to-pod',
  map: 'program/to-pod',
  direction: 'ingress',
};

export function dispatchRule({ field, classes, map }: Dispatch): Rule {
  return {
    statements: [{ kind: 'class-verdict-map', field, classes, map }],
    comment: 'dispatch: interface to class, class to program',
  };
}

/** A class is called as the unlike part of its program's name, which shortId() has made. */
export function classOf(program: string): string {
  return program.slice(program.lastIndexOf('/') + 1);
}

/** Adds both maps. `programs` by interface. */
export function addDispatch(
  { classes, map, direction }: Dispatch,
  programs: ReadonlyMap<string, string>,
  sets: SetBuilder,
): void {
  const members = new Map<string, ClassRef>();
  const targets = new Map<string, Verdict>();
  for (const [interfaceName, program] of programs) {
    members.set(interfaceName, `class ${classOf(program)}`);
    targets.set(classOf(program), `goto ${program}`);
  }
  sets.addClassMap(classes, `class of each pod, ${direction}`, members);
  sets.addVerdictMap(map, `${direction} program of each class`, targets);
}

/** What the interface is judged by; undefined: it is not known. */
export function dispatched(
  { sets }: Ruleset,
  { classes, map }: Pick<Dispatch, 'classes' | 'map'>,
  interfaceName: string,
): Verdict | undefined {
  const [, name] = sets.get(classes)?.elements.get(interfaceName)?.split(' ') ?? [];
  if (name === undefined) return undefined;
  return sets.get(map)?.elements.get(name) as Verdict | undefined;
}
