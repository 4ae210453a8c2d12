// The points between the effects of ADD and DEL, in order. A crash at any of them must be harmless.

export const ADD_STEPS = [
  'add:intent-recorded',
  'add:address-assigned',
  'add:policy-committed',
  'add:veth-created',
  'add:pod-configured',
  'add:host-configured',
  'add:endpoint-written',
  'add:recorded',
] as const;

export const REMOVE_STEPS = [
  'del:intent-recorded',
  'del:veth-deleted',
  'del:policy-committed',
  'del:address-released',
  'del:endpoint-deleted',
  'del:forgotten',
] as const;

export const STEPS = [...ADD_STEPS, ...REMOVE_STEPS] as const;

export type Step = (typeof STEPS)[number];

/** Called after each step; a fault injection may end the process in it. */
export type StepHook = (step: Step) => void;
