// What must hold at every revision of etcd, whatever is under way: an assigned address has a handle, and
// the handle names who has it; an endpoint has the addresses that it says.
import { formatAddress, parseInterfaceAddress } from '@calico/ip';
import { parseResourcePath } from '@calico/model';
import { type Allocation, allocationsOf } from './inspection/allocations.ts';
import { Inventory } from './inspection/inventory.ts';
import { parseJson } from './records/lossless_json.ts';

/** One sentence per address that breaks it. `records`: value by etcd key, of all of /calico/. */
export function ownershipFaults(records: ReadonlyMap<string, string>): string[] {
  const inventory = new Inventory(0);
  for (const [key, value] of records) inventory.add({ key, value, modRevision: 0n });
  const held = allocationsOf(inventory).filter(({ isCoolingDown }) => !isCoolingDown);
  const byAddress = new Map(held.map((one) => [one.address, one] as const));
  return [
    ...held.flatMap((one) => withoutOwner(one, inventory) ?? []),
    ...[...records].flatMap(([key, value]) => withoutAddress(key, value, byAddress, inventory)),
  ];
}

function withoutOwner(
  { address, handleId, attributes }: Allocation,
  { handles, nodes }: Inventory,
): string | undefined {
  const handle = handles.get(handleId);
  if (handle === undefined) return `${address} is assigned to "${handleId}", which has no record`;
  const node = attributes['node'] ?? '';
  const isNodes = handleId.endsWith(`-addr-${node}`) && nodes.has(node);
  return handle.owner === undefined && !isNodes
    ? `${address} is assigned to "${handleId}", which says of nobody that he has it`
    : undefined;
}

function withoutAddress(
  key: string,
  value: string,
  byAddress: ReadonlyMap<string, Allocation>,
  { handles }: Inventory,
): string[] {
  const resource = parseResourcePath(key);
  if (resource?.kind !== 'WorkloadEndpoint') return [];
  const { spec } = parseJson(value) as {
    spec: { containerID: string; ipNetworks?: readonly string[] };
  };
  return (spec.ipNetworks ?? []).flatMap((network) => {
    const address = formatAddress(parseInterfaceAddress(network).address);
    const handleId = byAddress.get(address)?.handleId ?? '';
    const container = handles.get(handleId)?.owner?.containerId;
    return container === spec.containerID || handleId.startsWith('warm-addr-')
      ? []
      : [`endpoint ${resource.name} of ${spec.containerID} says ${address}: it is "${handleId}"'s`];
  });
}
