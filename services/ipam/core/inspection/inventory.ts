// Everything that a check looks at, gathered record by record, so that workload endpoints of a large
// cluster need not be held as texts.
import { formatAddress, type Prefix, parseInterfaceAddress } from '@calico/ip';
import { IPAM_ROOT, parseIpamPath, parseResourcePath, RESOURCE_ROOT } from '@calico/model';
import type { Entry } from '../program.ts';
import { type AffinityState, affinityState } from '../records/affinity.ts';
import { type Block, parseBlock } from '../records/block.ts';
import { type HandleOwner, ownerOfHandle, parseHandle } from '../records/handle.ts';
import { type IpPool, parsePool } from '../records/ip_pool.ts';
import { parseJson } from '../records/lossless_json.ts';
import { blockFaults } from './block_faults.ts';

/** What to add() to an inventory: all entries under these, as they were at one revision. */
export const INVENTORY_PREFIXES: readonly string[] = [
  IPAM_ROOT,
  ...['clusterinformations', 'ippools', 'nodes', 'workloadendpoints'].map(
    (plural) => `${RESOURCE_ROOT}${plural}/`,
  ),
];

export type FoundBlock = {
  readonly cidr: Prefix;
  /** Undefined: it cannot be worked with. */
  readonly block: Block | undefined;
  /** How it contradicts itself; sentences. */
  readonly faults: readonly string[];
  readonly revision: bigint;
};

export type FoundHandle = {
  /** By CIDR text: number of addresses. */
  readonly blocks: ReadonlyMap<string, number>;
  readonly owner: HandleOwner | undefined;
  readonly revision: bigint;
};

export type FoundAffinity = {
  readonly key: string;
  readonly owner: { readonly type: 'host' | 'virtual'; readonly name: string };
  readonly cidr: Prefix;
  readonly state: AffinityState;
  readonly revision: bigint;
};

/** Who uses an address. */
export type Use = {
  /** As upstream writes it: "Workload(default/pod)", "Node(k8s-node01)". */
  readonly owner: string;
  /** Workloads: of the pod, as far as it is known. */
  readonly pod: string;
  readonly namespace: string;
  readonly kind: 'workload' | 'node';
};

export type ClusterFacts = {
  readonly guid: string;
  readonly type: string;
  readonly version: string;
  readonly isLocked: boolean;
  readonly revision: bigint;
};

export class Inventory {
  readonly now: number;
  readonly blocks: FoundBlock[] = [];
  readonly handles = new Map<string, FoundHandle>();
  readonly affinities: FoundAffinity[] = [];
  readonly pools: IpPool[] = [];
  readonly nodes = new Set<string>();
  /** By address. */
  readonly uses = new Map<string, Use[]>();
  readonly unreadable: { key: string; message: string; revision: bigint }[] = [];
  cluster: ClusterFacts = { guid: '', type: '', version: '', isLocked: false, revision: 0n };

  /** `now` in milliseconds since the epoch. */
  constructor(now: number) {
    this.now = now;
  }

  /** Takes note of a record; what concerns nobody is passed over. */
  add(entry: Entry): void {
    try {
      this.#add(entry);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      this.unreadable.push({ key: entry.key, message, revision: entry.modRevision });
    }
  }

  #add(entry: Entry): void {
    const { key, value, modRevision: revision } = entry;
    const path = parseIpamPath(key);
    switch (path?.kind) {
      case 'block':
        this.#addBlock(path.cidr, entry);
        return;
      case 'handle': {
        const handle = parseHandle(key, path.handleId, value);
        const { blocks } = handle;
        this.handles.set(path.handleId, { blocks, owner: ownerOfHandle(handle), revision });
        return;
      }
      case 'affinity': {
        const { owner, cidr } = path;
        this.affinities.push({ key, owner, cidr, state: affinityState(value), revision });
        return;
      }
      case undefined:
        this.#addResource(entry);
    }
  }

  #addBlock(cidr: Prefix, { key, value, modRevision: revision }: Entry): void {
    const faults = blockFaults(cidr, value, this.now);
    try {
      this.blocks.push({ cidr, block: parseBlock(key, value), faults, revision });
    } catch (cause) {
      const all = faults.length > 0 ? faults : [(cause as Error).message];
      this.blocks.push({ cidr, block: undefined, faults: all, revision });
    }
  }

  #addResource({ key, value, modRevision }: Entry): void {
    const resource = parseResourcePath(key);
    switch (resource?.kind) {
      case 'IPPool':
        this.pools.push(parsePool(key, value));
        return;
      case 'Node':
        this.nodes.add(resource.name);
        this.#addNode(resource.name, specOf(value));
        return;
      case 'WorkloadEndpoint':
        this.#addWorkload(resource.namespace, resource.name, specOf(value));
        return;
      case 'ClusterInformation':
        this.cluster = clusterFacts(specOf(value), modRevision);
        return;
      default:
    }
  }

  #addNode(name: string, spec: Fields): void {
    const bgp = fieldsOf(spec['bgp']);
    const wireguard = fieldsOf(spec['wireguard']);
    const use: Use = { owner: `Node(${name})`, pod: '', namespace: '', kind: 'node' };
    for (const address of [
      bgp['ipv4IPIPTunnelAddr'],
      spec['ipv4VXLANTunnelAddr'],
      spec['ipv6VXLANTunnelAddr'],
      wireguard['interfaceIPv4Address'],
      wireguard['interfaceIPv6Address'],
    ]) {
      if (typeof address === 'string' && address !== '') this.#addUse(address, use);
    }
  }

  #addWorkload(namespace: string, name: string, spec: Fields): void {
    const pod = textOf(spec['pod']);
    const shown = pod || textOf(spec['workload']) || name;
    const use: Use = { owner: `Workload(${namespace}/${shown})`, pod, namespace, kind: 'workload' };
    const networks = spec['ipNetworks'];
    for (const network of Array.isArray(networks) ? networks : []) {
      this.#addUse(textOf(network), use);
    }
  }

  #addUse(text: string, use: Use): void {
    const address = formatAddress(parseInterfaceAddress(text).address);
    const others = this.uses.get(address);
    if (others === undefined) this.uses.set(address, [use]);
    else others.push(use);
  }
}

type Fields = Readonly<Record<string, unknown>>;

function specOf(json: string): Fields {
  return fieldsOf((parseJson(json) as Fields)['spec']);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function clusterFacts(spec: Fields, revision: bigint): ClusterFacts {
  return {
    guid: textOf(spec['clusterGUID']),
    type: textOf(spec['clusterType']),
    version: textOf(spec['calicoVersion']),
    isLocked: spec['datastoreReady'] === false,
    revision,
  };
}
