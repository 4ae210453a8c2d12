// Edge: requests are checked, outcomes become wire answers.
import type { IpamService } from '@calico/proto/ipam/v1/ipam';
import type { ServiceHandlers } from '@calico/rpc';
import type { AddressBook } from './address_book.ts';
import {
  addressOf,
  assignIpRequest,
  autoAssignRequest,
  cidrOf,
  ensureRequests,
  handleOf,
  leavingOf,
  nodeName,
  poolName,
  poolNames,
  releases,
} from './requests.ts';
import { answer } from './rpc_errors.ts';

export function createHandlers(book: AddressBook): ServiceHandlers<typeof IpamService> {
  return {
    autoAssign: (request, { signal }) =>
      answer(async () => {
        const { addresses, shortfall } = await book.autoAssign(autoAssignRequest(request), signal);
        return { addresses: [...addresses], shortfall };
      }),
    assignIp: (request, { signal }) =>
      answer(async () => ({ address: await book.assignIp(assignIpRequest(request), signal) })),
    releaseIps: (request, { signal }) =>
      answer(async () => ({ unallocated: await book.releaseIps(releases(request), signal) })),
    releaseByHandle: (request, { signal }) =>
      answer(async () => {
        const handleId = handleOf('handle_id', request.handleId);
        const leaving = leavingOf(request);
        const done = await book.releaseByHandle(handleId, leaving, signal);
        const { released, ownerRevision } = done;
        return leaving.owner === undefined ? { released } : { released, ownerRevision };
      }),
    ipsByHandle: ({ handleId }, { signal }) =>
      answer(async () => ({
        addresses: await book.addressesOfHandle(handleOf('handle_id', handleId), signal),
      })),
    getAssignment: ({ address }, { signal }) =>
      answer(async () => {
        const found = await book.assignmentOf(addressOf('address', address), signal);
        if (!found.isAssigned) return { assigned: false, block: found.block };
        const { handleId, attributes, block, sequenceNumber } = found;
        return { assigned: true, handleId, attributes: { ...attributes }, block, sequenceNumber };
      }),
    claimAffinity: ({ cidr, node }, { signal }) =>
      answer(() => book.claimAffinity(cidrOf('cidr', cidr), nodeName('node', node), signal)),
    releaseAffinity: ({ cidr, node, mustBeEmpty }, { signal }) =>
      answer(async () => {
        const within = cidr === '' ? undefined : cidrOf('cidr', cidr);
        const owner = nodeName('node', node);
        return { released: await book.releaseAffinity(owner, within, mustBeEmpty, signal) };
      }),
    releasePoolAffinities: ({ pool }, { signal }) =>
      answer(async () => ({
        released: await book.releasePoolAffinities(poolName('pool', pool), signal),
      })),
    ensureBlock: (request, { signal }) =>
      answer(async () => {
        const { four, six } = ensureRequests(request);
        const v4 = four === undefined ? undefined : await book.ensureBlock(four, signal);
        const v6 = six === undefined ? undefined : await book.ensureBlock(six, signal);
        return { ipv4Block: v4?.block ?? '', ipv6Block: v6?.block ?? '' };
      }),
    getUtilization: ({ pools }, { signal }) =>
      answer(async () => {
        const uses = await book.utilization(poolNames('pools', pools), signal);
        return {
          pools: uses.map((use) => ({
            ...use,
            capacity: use.capacity.toString(),
            reserved: use.reserved.toString(),
            free: use.free.toString(),
            inUse: BigInt(use.inUse),
            blocks: use.blocks.map((block) => ({
              ...block,
              capacity: BigInt(block.capacity),
              inUse: BigInt(block.inUse),
              reserved: BigInt(block.reserved),
              free: BigInt(block.free),
              allocations: block.allocations.map((one) => ({
                ...one,
                attributes: { ...one.attributes },
              })),
            })),
          })),
        };
      }),
  };
}
