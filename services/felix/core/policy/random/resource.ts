// Arbitrary resources: few names and labels, so that what is generated often meets.
import { type AnyResource, parseResource, ValidationError } from '@calico/model';
import * as fc from 'fast-check';
import type { Direction } from '../meaning/ordering.ts';
import { often, PLAIN } from './rules.ts';

export const API_VERSION = 'projectcalico.org/v3';
const NAMESPACES = ['red', 'blue'] as const;

export const name = fc.constantFrom('p0', 'p1', 'p2');
export const namespace = fc.constantFrom(...NAMESPACES);
export const labels = fc.record(
  { role: often(fc.constantFrom('a', 'b')), env: often(fc.constantFrom('x', 'y')) },
  PLAIN,
);

/** Leaves undefined fields out, as JSON does; what validation refuses becomes undefined. */
export function valid(resource: unknown): AnyResource | undefined {
  try {
    return parseResource(JSON.parse(JSON.stringify(resource)));
  } catch (cause) {
    if (cause instanceof ValidationError) return undefined;
    throw cause;
  }
}

/** Those that are valid, each name once. */
export const resources = <T extends AnyResource>(
  one: fc.Arbitrary<unknown>,
  maxLength: number,
): fc.Arbitrary<T[]> =>
  fc
    .array(
      one
        .map((resource) => valid(resource) as T | undefined)
        .filter((resource) => resource !== undefined),
      { maxLength },
    )
    .map((all) => [
      ...new Map(
        all.map((resource) => [
          `${resource.metadata.namespace}/${resource.metadata.name}`,
          resource,
        ]),
      ).values(),
    ]);

/** Whether validation lets a rule pass: one that it refuses would take its whole policy away. */
export const isValidRule = (one: unknown, direction: Direction = 'ingress'): boolean =>
  valid({
    apiVersion: API_VERSION,
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'p' },
    spec: { [direction]: [one] },
  }) !== undefined;
