// The node's endpoints as they are reported: in parts, so that one pod's change does not say ten thousand again, and so
// that no message outgrows what NATS takes (1 MiB).
import type { LocalEndpointStatus } from './endpoint_status.ts';

/** A node with Kubernetes' 110 pods has one part. */
const PART_SIZE = 128;

export type EndpointPart = {
  readonly part: number;
  /** A power of two. */
  readonly parts: number;
  readonly endpoints: readonly LocalEndpointStatus[];
};

/** Which parts have to be said anew. Parts are never less than they were: the bus repeats each of them for ever. */
export class EndpointParts {
  #parts: readonly (readonly LocalEndpointStatus[])[] = [];

  /** All parts at first, and when they have become more. */
  changes(endpoints: readonly LocalEndpointStatus[]): EndpointPart[] {
    const before = this.#parts;
    const parts = partsFor(endpoints.length, before.length);
    this.#parts = divide(endpoints, parts);
    return this.#parts.flatMap((now, part) => {
      const isNew = parts !== before.length || !areSame(before[part] ?? [], now);
      return isNew ? [{ part, parts, endpoints: now }] : [];
    });
  }
}

function partsFor(size: number, before: number): number {
  let parts = Math.max(before, 1);
  while (parts * PART_SIZE < size) parts *= 2;
  return parts;
}

function divide(
  endpoints: readonly LocalEndpointStatus[],
  parts: number,
): readonly (readonly LocalEndpointStatus[])[] {
  const divided: LocalEndpointStatus[][] = Array.from({ length: parts }, () => []);
  for (const endpoint of endpoints) divided[hash(endpoint.name) & (parts - 1)]?.push(endpoint);
  return divided;
}

/** FNV-1a. */
function hash(name: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) {
    value = Math.imul(value ^ name.charCodeAt(index), 0x01000193);
  }
  return value ^ (value >>> 16);
}

/** What was read again from the store is another object with the same content. */
function areSame(
  before: readonly LocalEndpointStatus[],
  now: readonly LocalEndpointStatus[],
): boolean {
  return (
    before.length === now.length &&
    now.every((status, index) => {
      const other = before[index];
      return status === other || JSON.stringify(status) === JSON.stringify(other);
    })
  );
}
