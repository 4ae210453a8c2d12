// What an import writes, and in which order. Pure.
import { formatAddress, parseAddress, parsePrefix, prefixContains } from '@calico/ip';
import { type Kind, parseStored, type ResourceOf } from '@calico/model';
import { blockContents, type HeldAddress } from './formats/block_contents.ts';
import { isFields, type Request } from './requests.ts';

export type ImportPlan = {
  /** Before the blocks. */
  readonly first: readonly Request[];
  readonly blocks: readonly ImportedBlock[];
  /** After the blocks. */
  readonly last: readonly Request[];
  /** Addresses that cannot be assigned, and why. */
  readonly leftOut: readonly string[];
};

export type ImportedBlock = {
  readonly name: string;
  readonly cidr: string;
  /** The node that holds the block; undefined: none. */
  readonly node: string | undefined;
  readonly addresses: readonly Assignment[];
};

type Assignment = HeldAddress & { readonly handleId: string; readonly node: string };

/**
 * ipam assigns every address anew, and would refuse what a pool or strictAffinity came to forbid after
 * the assignment. So these come as they are only behind the blocks, as endpoints do.
 * @param requests of a whole cluster, checked
 */
export function planImport(requests: readonly Request[]): ImportPlan {
  const resources = requests.filter(({ kind }) => kind !== 'IPAMBlock');
  const first: Request[] = [];
  const last: Request[] = [];
  for (const request of resources) {
    const open = opened(request);
    if (open !== undefined) first.push(open);
    else if (request.kind !== 'WorkloadEndpoint') first.push(request);
    if (open !== undefined || request.kind === 'WorkloadEndpoint') last.push(request);
  }
  return { first, last, ...planBlocks(requests) };
}

/** The resource without what refuses assignments; undefined when it refuses none. */
function opened(request: Request): Request | undefined {
  const { kind, document } = request;
  const spec = isFields(document['spec']) ? document['spec'] : {};
  if (kind === 'IPPool' && spec['disabled'] === true) {
    return { ...request, document: { ...document, spec: { ...spec, disabled: false } } };
  }
  if (kind === 'IPAMConfiguration' && spec['strictAffinity'] === true) {
    // The other two have to have these values where strictAffinity is off.
    const borrowing = { strictAffinity: false, autoAllocateBlocks: true, maxBlocksPerHost: 0 };
    return { ...request, document: { ...document, spec: { ...spec, ...borrowing } } };
  }
  return undefined;
}

function planBlocks(requests: readonly Request[]): Pick<ImportPlan, 'blocks' | 'leftOut'> {
  const pools = specsOf('IPPool', requests).map(({ spec }) => parsePrefix(spec.cidr));
  const nodes = nodesOfEndpoints(requests);
  const blocks: ImportedBlock[] = [];
  const leftOut: string[] = [];
  for (const { name, spec } of specsOf('IPAMBlock', requests)) {
    const { cidr } = spec;
    const { node, addresses } = blockContents(spec);
    const leave = (what: string, why: string) => leftOut.push(`${what} of block ${cidr}: ${why}`);
    const block = parsePrefix(cidr);
    if (!pools.some((pool) => prefixContains(pool, block))) {
      if (addresses.length > 0) leave(`${addresses.length} address(es)`, 'it is in no pool');
      continue;
    }
    const assignments = addresses.flatMap((held) => {
      const { address, handleId, node: user = nodes.get(address) } = held;
      if (handleId !== undefined && user !== undefined) return [{ ...held, handleId, node: user }];
      leave(address, user === undefined ? 'its node is not known' : 'it has no handle');
      return [];
    });
    blocks.push({ name, cidr, node, addresses: assignments });
  }
  return { blocks, leftOut };
}

/** By address, for what the blocks do not tell. */
function nodesOfEndpoints(requests: readonly Request[]): ReadonlyMap<string, string> {
  const endpoints = specsOf('WorkloadEndpoint', requests);
  return new Map(
    endpoints.flatMap(({ spec }) =>
      (spec.ipNetworks ?? []).map((text): [string, string] => {
        const [address = ''] = text.split('/');
        return [formatAddress(parseAddress(address)), spec.node];
      }),
    ),
  );
}

function specsOf<K extends Kind>(
  wanted: K,
  requests: readonly Request[],
): { readonly name: string; readonly spec: ResourceOf<K>['spec'] }[] {
  return requests.flatMap(({ kind, name, document }) =>
    kind === wanted ? [{ name, spec: parseStored(wanted, JSON.stringify(document)).spec }] : [],
  );
}
