// The operations of the service, each a sequence of programs that may be repeated at any point.
import {
  type Address,
  type Family,
  formatAddress,
  formatPrefix,
  type Prefix,
  subnets,
} from '@calico/ip';
import { IpamError } from '../core/ipam_error.ts';
import type { Program } from '../core/program.ts';
import { type AssignIpRequest, assignIp } from '../core/programs/assign_ip.ts';
import {
  type AssignedAddress,
  type AssignRequest,
  type AssignStep,
  assignStep,
} from '../core/programs/auto_assign.ts';
import {
  blocksInUse,
  blocksOfNode,
  blocksOfPool,
  claimBlock,
  poolForClaim,
  releaseBlock,
} from '../core/programs/claim.ts';
import { NodeSightings } from '../core/programs/elsewhere.ts';
import {
  type EnsuredBlock,
  type EnsureRequest,
  ensureBlock,
} from '../core/programs/ensure_block.ts';
import {
  type AssignmentOfAddress,
  addressesOfHandle,
  assignmentOf,
} from '../core/programs/lookup.ts';
import {
  type Leaving,
  locate,
  MAX_RELEASES,
  type Release,
  releaseFromBlock,
  releaseHandle,
} from '../core/programs/release.ts';
import { readableBlock, storedHandle } from '../core/programs/stored_block.ts';
import { type PoolUse, utilization } from '../core/programs/utilization.ts';
import { nodeOfAffinity } from '../core/records/affinity.ts';
import { handleBlocks } from '../core/records/handle.ts';
import { blockKey, handleKey } from '../core/records/keys.ts';
import type { ProgramRunner } from './program_runner.ts';

/** A claim of more blocks than this has to be made in parts. */
const MAX_CLAIM = 4096;

export type Assigned = {
  readonly addresses: readonly AssignedAddress[];
  /** Empty when everything asked for was assigned. */
  readonly shortfall: string;
};

export class AddressBook {
  readonly #runner: ProgramRunner;

  constructor(runner: ProgramRunner) {
    this.#runner = runner;
  }

  async autoAssign(request: AssignRequest, signal?: AbortSignal): Promise<Assigned> {
    const { group } = this.#runner;
    const repeated = { ...request, sightings: new NodeSightings() };
    for (;;) {
      const lane = laneOfNode(request.node);
      const step = await group.run(lane, (now) => assignStep(repeated, now), signal);
      if (step.isComplete) return conclude(request, step);
    }
  }

  assignIp(request: AssignIpRequest, signal?: AbortSignal): Promise<AssignedAddress> {
    const lane = laneOfNode(request.node);
    const repeated = { ...request, sightings: new NodeSightings() };
    return this.#runner.group.run(lane, (now) => assignIp(repeated, now), signal);
  }

  /** Answers the addresses that were not assigned as described. */
  async releaseIps(releases: readonly Release[], signal?: AbortSignal): Promise<string[]> {
    const blocks = await this.#runner.run(
      () => locate(releases.map(({ address }) => address)),
      signal,
    );
    const lost = releases.filter(({ address }) => !blocks.has(address));
    const refused: Address[] = lost.map(({ address }) => address);
    const byBlock = Map.groupBy(
      releases.filter(({ address }) => blocks.has(address)),
      ({ address }) => formatPrefix(blocks.get(address) as Prefix),
    );
    for (const group of byBlock.values()) {
      const cidr = blocks.get(group[0]?.address as Address) as Prefix;
      for (let at = 0; at < group.length; at += MAX_RELEASES) {
        const part = group.slice(at, at + MAX_RELEASES);
        const lane = await this.#laneOfBlock(cidr, signal);
        const start = (now: number): Program<readonly Address[]> =>
          releaseFromBlock(cidr, part, now);
        refused.push(...(await this.#runner.group.run(lane, start, signal)));
      }
    }
    return refused.map(formatAddress);
  }

  /** Releases all that the handle holds; its owner's record goes in the same transaction. */
  async releaseByHandle(
    handleId: string,
    leaving: Leaving = {},
    signal?: AbortSignal,
  ): Promise<{ readonly released: string[]; readonly ownerRevision: bigint }> {
    const released: string[] = [];
    for (;;) {
      const lane = await this.#laneOfHandle(handleId, signal);
      const start = (now: number) => releaseHandle(handleId, now, leaving);
      const step = await this.#runner.group.run(lane, start, signal);
      released.push(...step.released);
      if (step.remaining === 0) return { released, ownerRevision: step.ownerRevision ?? 0n };
    }
  }

  addressesOfHandle(handleId: string, signal?: AbortSignal): Promise<AssignedAddress[]> {
    return this.#runner.run(() => addressesOfHandle(handleId), signal);
  }

  assignmentOf(address: Address, signal?: AbortSignal): Promise<AssignmentOfAddress> {
    return this.#runner.run(() => assignmentOf(address), signal);
  }

  async claimAffinity(
    cidr: Prefix,
    node: string,
    signal?: AbortSignal,
  ): Promise<{ claimed: string[]; failed: string[] }> {
    const pool = await this.#runner.run(() => poolForClaim(cidr), signal);
    if (pool.blockSize - cidr.length > Math.log2(MAX_CLAIM)) {
      throw new IpamError(
        'invalid-argument',
        `Cannot claim cidr "${formatPrefix(cidr)}": more than ${MAX_CLAIM} blocks, expected /${pool.blockSize - Math.log2(MAX_CLAIM)} or narrower`,
      );
    }
    const claimed: string[] = [];
    const failed: string[] = [];
    for (const block of subnets(cidr, pool.blockSize)) {
      const outcome = await this.#runner.run((now) => claimBlock(block, node, pool, now), signal);
      (outcome === 'claimed' ? claimed : failed).push(formatPrefix(block));
    }
    return { claimed, failed };
  }

  /** `within` undefined: all blocks of the node. */
  async releaseAffinity(
    node: string,
    within: Prefix | undefined,
    mustBeEmpty: boolean,
    signal?: AbortSignal,
  ): Promise<string[]> {
    const cidrs = await this.#runner.run(() => blocksOfNode(node, within), signal);
    if (mustBeEmpty) {
      const used = await this.#runner.run(() => blocksInUse(cidrs, node), signal);
      if (used.length > 0) throw inUse(node, used);
    }
    const released: string[] = [];
    for (const cidr of cidrs) {
      const outcome = await this.#runner.run(
        (now) => releaseBlock(cidr, node, mustBeEmpty, now),
        signal,
      );
      if (outcome === 'in-use') throw inUse(node, [cidr]);
      if (outcome === 'released') released.push(formatPrefix(cidr));
    }
    return released;
  }

  /** Takes all blocks of the pool from their nodes. @throws IpamError 'not-found' */
  async releasePoolAffinities(pool: string, signal?: AbortSignal): Promise<string[]> {
    const owned = await this.#runner.run(() => blocksOfPool(pool), signal);
    const released: string[] = [];
    for (const { cidr, node } of owned) {
      const outcome = await this.#runner.run((now) => releaseBlock(cidr, node, false, now), signal);
      if (outcome === 'released') released.push(formatPrefix(cidr));
    }
    return released;
  }

  ensureBlock(request: EnsureRequest, signal?: AbortSignal): Promise<EnsuredBlock> {
    const lane = laneOfNode(request.node);
    return this.#runner.group.run(lane, (now) => ensureBlock(request, now), signal);
  }

  utilization(pools: readonly string[], signal?: AbortSignal): Promise<PoolUse[]> {
    return this.#runner.run((now) => utilization(pools, now), signal);
  }

  /** The lane of the node that assigns from the block: they would compete for its record. */
  async #laneOfBlock(cidr: Prefix, signal: AbortSignal | undefined): Promise<string> {
    const entry = await this.#runner.group.glance(blockKey(cidr), signal);
    const block = entry === undefined ? undefined : readableBlock(entry)?.block;
    const node = nodeOfAffinity(block?.affinity);
    return node === undefined ? `block ${formatPrefix(cidr)}` : laneOfNode(node);
  }

  async #laneOfHandle(handleId: string, signal: AbortSignal | undefined): Promise<string> {
    const entry = await this.#runner.group.glance(handleKey(handleId), signal);
    const [cidr] = entry === undefined ? [] : handleBlocks(storedHandle(handleId, entry));
    return cidr === undefined ? `handle ${handleId}` : await this.#laneOfBlock(cidr, signal);
  }
}

function laneOfNode(node: string): string {
  return `node "${node}"`;
}

function conclude(request: AssignRequest, step: AssignStep): Assigned {
  const parts = [...step.obstacles].map(([family, reason]) => {
    const got = step.addresses.filter(({ address }) => isOfFamily(address, family)).length;
    const wanted = request.wanted[family].count;
    return `Assigned ${got} out of ${wanted} requested IPv${family} addresses; ${reason}`;
  });
  const shortfall = parts.join('; ');
  if (step.addresses.length === 0 && shortfall !== '') throw new IpamError('exhausted', shortfall);
  return { addresses: step.addresses, shortfall };
}

function isOfFamily(address: string, family: Family): boolean {
  return address.includes(':') === (family === 6);
}

function inUse(node: string, blocks: readonly Prefix[]): IpamError {
  const names = blocks.map(formatPrefix).join(', ');
  return new IpamError(
    'precondition',
    `Cannot release the affinities of node "${node}": addresses are in use in ${names}`,
  );
}
