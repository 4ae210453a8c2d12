// Leases of ready addresses, from the ipam service.
import { type NodeAddressService } from '@calico/proto/ipam/v1/node_addresses';
import type { RpcClient } from '@calico/rpc';
import type { LeasedAddress, Workload } from '../core/workload.ts';
import { WorkloadError } from '../core/workload_error.ts';
import type { LeaseSource } from '../ports.ts';
import { attributesOf, ownerOf } from './ipam_client.ts';
import { type Patience, USUAL_PATIENCE } from './patience.ts';
import { asWorkloadError, hasCode } from './remote_errors.ts';

export class LeaseClient implements LeaseSource {
  readonly #client: RpcClient<typeof NodeAddressService>;
  readonly #node: string;
  readonly #now: () => number;
  readonly #patience: Patience;

  /** `now`: milliseconds since the Unix epoch. */
  constructor(
    client: RpcClient<typeof NodeAddressService>,
    node: string,
    now: () => number,
    patience = USUAL_PATIENCE,
  ) {
    this.#client = client;
    this.#node = node;
    this.#now = now;
    this.#patience = patience;
  }

  lease(families: readonly (4 | 6)[]) {
    return asWorkloadError('ipam', async () => {
      const { addresses, leaseSeconds, count } = await this.#client.leaseAddresses(
        { node: this.#node, ipv4: families.includes(4), ipv6: families.includes(6) },
        { timeoutMs: this.#patience.leaseMs },
      );
      return {
        count,
        leaseMs: leaseSeconds * 1000,
        retired: addresses.filter(({ retired }) => retired).map(({ address }) => address),
        addresses: addresses.map(({ address, block, pool, sequenceNumber }) => ({
          address,
          block,
          pool,
          sequenceNumber: String(sequenceNumber),
        })),
      };
    });
  }

  async adopt(
    handleId: string,
    workload: Workload,
    addresses: readonly LeasedAddress[],
  ): Promise<void> {
    await asWorkloadError('ipam', () =>
      this.#client
        .adoptAddresses(
          {
            node: this.#node,
            handleId,
            attributes: attributesOf(workload, this.#node, this.#now()),
            owner: ownerOf(workload, this.#node),
            addresses: addresses.map((one) => ({
              ...one,
              sequenceNumber: BigInt(one.sequenceNumber),
            })),
          },
          { timeoutMs: this.#patience.leaseMs },
        )
        .catch((cause: unknown) => {
          if (!hasCode(cause, 'NOT_FOUND')) throw cause;
          const text = cause instanceof Error ? cause.message : String(cause);
          throw new WorkloadError('missing', text, { cause });
        }),
    );
  }

  async returnLeased(addresses: readonly string[], wereUsed: boolean): Promise<void> {
    await asWorkloadError('ipam', () =>
      this.#client.returnAddresses(
        { node: this.#node, addresses: [...addresses], used: wereUsed },
        { timeoutMs: this.#patience.leaseMs },
      ),
    );
  }
}
