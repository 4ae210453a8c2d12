// Every assignment with who uses it.
import { addressAt, formatAddress, formatPrefix } from '@calico/ip';
import { attributeOf, isHeld } from '../block_algebra.ts';
import { warmHandle } from '../programs/lease.ts';
import { nodeOfAffinity } from '../records/affinity.ts';
import type { FoundBlock, Inventory, Use } from './inventory.ts';

export type Allocation = {
  readonly address: string;
  readonly block: string;
  /** Empty: without one. */
  readonly handleId: string;
  readonly sequenceNumber: bigint;
  readonly attributes: Readonly<Record<string, string>>;
  readonly isInUse: boolean;
  /** The block belongs to another node than the address. */
  readonly isBorrowed: boolean;
  readonly isCoolingDown: boolean;
  readonly uses: readonly Use[];
  /** Texts of `uses`, and of owners that no resource tells of. */
  readonly owners: readonly string[];
};

/** In the order of the blocks' keys and, within a block, of addresses. */
export function allocationsOf(inventory: Inventory): Allocation[] {
  return inventory.blocks.flatMap((found) => allocationsIn(found, inventory));
}

function allocationsIn({ cidr, block }: FoundBlock, inventory: Inventory): Allocation[] {
  if (block === undefined) return [];
  const blockNode = nodeOfAffinity(block.affinity);
  return [...block.allocations.keys()].flatMap((ordinal) => {
    const attribute = attributeOf(block, ordinal);
    if (attribute === undefined) return [];
    const address = formatAddress(addressAt(cidr, ordinal));
    const handleId = attribute.handleId ?? '';
    const node = attribute.secondary['node'];
    const uses = inventory.uses.get(address) ?? [];
    const owners = [
      ...uses.map(({ owner }) => owner),
      ...ownersByHandle(handleId, node, inventory.nodes),
      ...(uses.length === 0 ? startingOwner(handleId, inventory) : []),
    ];
    const isCoolingDown = !isHeld(attribute);
    return [
      {
        address,
        block: formatPrefix(cidr),
        handleId,
        sequenceNumber: block.sequenceNumbers[ordinal] ?? 0n,
        attributes: attribute.secondary,
        isInUse: !isCoolingDown && owners.length > 0,
        isBorrowed: node !== undefined && blockNode !== undefined && node !== blockNode,
        isCoolingDown,
        uses,
        owners,
      },
    ];
  });
}

/** Longer than a node takes to connect a pod, or to take it back. */
const MOST_STARTING_MS = 600_000;

/** The workload that was named when the address was assigned, as long as its endpoint may yet come. */
function startingOwner(handleId: string, { handles, nodes, now }: Inventory): string[] {
  const owner = handles.get(handleId)?.owner;
  if (owner === undefined || !nodes.has(owner.node)) return [];
  if (now - Date.parse(owner.assignedAt) > MOST_STARTING_MS) return [];
  return [`Workload(${owner.namespace}/${owner.endpoint}, starting on ${owner.node})`];
}

/** Upstream reserves the first three and the last address of a Windows node's blocks. */
const WINDOWS_HANDLE = 'windows-reserved-ipam-handle';

/** Owners that no resource in etcd tells of; nobody here can say that they do not use the address. */
function ownersByHandle(
  handleId: string,
  node: string | undefined,
  nodes: ReadonlySet<string>,
): string[] {
  if (handleId.startsWith('lb-')) return ['Service load balancer'];
  const isReserved = handleId.toLowerCase() === WINDOWS_HANDLE;
  const isReady = node !== undefined && handleId === warmHandle(node);
  if ((isReserved || isReady) && node !== undefined && nodes.has(node)) return [`Node(${node})`];
  return [];
}
