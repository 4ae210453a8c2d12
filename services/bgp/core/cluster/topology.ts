// Who of the cluster's own nodes peers with whom (BGPConfiguration.topology). Pure: every node computes
// the same from the same resources, so nobody has to elect anybody.
import type { BGPConfiguration } from '@calico/model';
import type { NodeView } from './node_view.ts';

/** The well-known label of Kubernetes. */
const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** The label that keeps a node from being chosen; its value does not matter. */
const EXCLUDED_LABEL = 'projectcalico.org/exclude-from-route-reflection';
const DEFAULT_MESH_LIMIT = 100;
const FEWEST_REFLECTORS = 3;
/** One per zone up to here: each reflector costs every node a session. */
const MOST_REFLECTORS = 5;

export class Topology {
  readonly #reflectors: ReadonlySet<string> | undefined;

  /** @param reflectors undefined: a full mesh */
  constructor(reflectors?: Iterable<string>) {
    this.#reflectors = reflectors && new Set(reflectors);
  }

  /** Whether the two have a session of the mesh. */
  joins(a: NodeView, b: NodeView): boolean {
    // A session between AS numbers carries only the own routes of its ends: no reflector replaces it.
    if (this.#reflectors === undefined || a.asn !== b.asn) return true;
    return this.isReflector(a) || this.isReflector(b);
  }

  isReflector({ name }: NodeView): boolean {
    return this.#reflectors?.has(name) ?? false;
  }
}

/**
 * A full mesh, or, with topology Auto and more nodes than meshLimit, at least three reflectors in as
 * many zones as possible. Nodes that an operator made reflectors (routeReflectorClusterID) stand apart.
 */
export function chooseTopology(
  nodes: readonly NodeView[],
  { topology, meshLimit = DEFAULT_MESH_LIMIT }: BGPConfiguration['spec'],
): Topology {
  const members = nodes.filter(({ clusterId }) => clusterId === undefined);
  if (topology !== 'Auto' || members.length <= meshLimit) return new Topology();
  const byAsn = Map.groupBy(members, ({ asn }) => asn);
  return new Topology([...byAsn.values()].flatMap(chooseReflectors));
}

/** Names out of the nodes of one AS. */
function chooseReflectors(nodes: readonly NodeView[]): string[] {
  const willing = nodes.filter(({ labels }) => !(EXCLUDED_LABEL in labels));
  const candidates = willing.length < FEWEST_REFLECTORS ? nodes : willing;
  // By a number of its own for each node: whoever joins or leaves changes as few places as possible.
  const ranked = candidates.toSorted((a, b) => rankOf(b.name) - rankOf(a.name) || byName(a, b));
  const zones = [...Map.groupBy(ranked, ({ labels }) => labels[ZONE_LABEL] ?? '').values()];
  const count = Math.max(FEWEST_REFLECTORS, Math.min(zones.length, MOST_REFLECTORS));
  const chosen: string[] = [];
  for (let round = 0; chosen.length < Math.min(count, candidates.length); round++) {
    for (const zone of zones) {
      const node = zone[round];
      if (node !== undefined && chosen.length < count) chosen.push(node.name);
    }
  }
  return chosen;
}

/** FNV-1a, then the finalizer of MurmurHash3: similar names get unlike ranks. 0 to 2^32 - 1. */
function rankOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function byName(a: NodeView, b: NodeView): number {
  return a.name < b.name ? -1 : 1;
}
