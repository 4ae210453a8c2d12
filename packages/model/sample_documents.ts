// Documents of users, and what is found wrong with them; for tests.
import { KINDS, type Kind, parseResource, ValidationError } from './mod.ts';

export function document(kind: string, spec: unknown, metadata: object = {}) {
  const namespace =
    Object.hasOwn(KINDS, kind) && KINDS[kind as Kind].namespaced ? 'default' : undefined;
  return {
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name: 'x', namespace, ...metadata },
    spec,
  };
}

export function problemsOf(input: unknown): string[] {
  try {
    parseResource(input);
    return [];
  } catch (cause) {
    if (!(cause instanceof ValidationError)) throw cause;
    return cause.problems.map(({ field, message }) => `${field}: ${message}`);
  }
}
