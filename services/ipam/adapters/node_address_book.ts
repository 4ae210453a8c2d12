// Addresses that nodes hold for themselves, each operation a sequence of programs that may be repeated.
import type { Clock } from '@calico/clock';
import type { Family } from '@calico/ip';
import { IpamError } from '../core/ipam_error.ts';
import type { AssignedAddress } from '../core/programs/auto_assign.ts';
import {
  type Adoption,
  adopt,
  type LeasedAddress,
  renewLease,
  returnLeased,
  warmOwner,
  warmState,
} from '../core/programs/lease.ts';
import { type Tunnel, tunnelHandle, tunnelState } from '../core/programs/tunnel_address.ts';
import type { AddressBook } from './address_book.ts';
import type { ProgramRunner } from './program_runner.ts';

export type Lease = { readonly addresses: readonly LeasedAddress[]; readonly count: number };

export class NodeAddressBook {
  readonly #book: AddressBook;
  readonly #runner: ProgramRunner;
  readonly #clock: Clock;

  constructor(book: AddressBook, runner: ProgramRunner, clock: Clock) {
    this.#book = book;
    this.#runner = runner;
    this.#clock = clock;
  }

  /** @throws IpamError 'not-found' when no pool is for this tunnel and node; then it holds none */
  async assignTunnel(node: string, tunnel: Tunnel, signal?: AbortSignal): Promise<AssignedAddress> {
    const { pools, valid, holdsAny } = await this.#runner.run(
      () => tunnelState(node, tunnel),
      signal,
    );
    if (valid !== undefined) return valid;
    if (holdsAny) await this.releaseTunnel(node, tunnel, signal);
    const { name, type, family, encapsulation } = tunnel;
    if (pools.length === 0) {
      const kind = encapsulation === undefined ? '' : ` with ${encapsulation}`;
      throw new IpamError(
        'not-found',
        `Cannot assign the ${name} tunnel address of node "${node}": no enabled IPv${family} pool${kind} selects it for use Tunnel`,
      );
    }
    const timestamp = new Date(this.#clock.now()).toISOString();
    const { addresses } = await this.#book.autoAssign(
      {
        node,
        owner: { handleId: tunnelHandle(tunnel, node), secondary: { node, type, timestamp } },
        namespace: '',
        use: 'Tunnel',
        wanted: wanted(family, 1, pools),
        maxBlocks: 0,
      },
      signal,
    );
    const [address] = addresses;
    if (address === undefined) throw new IpamError('exhausted', 'No address was assigned');
    return address;
  }

  async releaseTunnel(node: string, tunnel: Tunnel, signal?: AbortSignal): Promise<string[]> {
    const done = await this.#book.releaseByHandle(tunnelHandle(tunnel, node), {}, signal);
    return done.released;
  }

  /** As many as are configured, or as there are. */
  async lease(node: string, families: readonly Family[], signal?: AbortSignal): Promise<Lease> {
    const { count, holdsAny } = await this.#runner.run(() => warmState(node), signal);
    if (count === 0 && !holdsAny) return { addresses: [], count };
    if (count > 0) {
      for (const family of families) await this.#fill(node, family, count, signal);
    }
    const addresses = await this.#runner.run((now) => renewLease(node, now), signal);
    return { addresses, count };
  }

  async adopt(adoption: Adoption, signal?: AbortSignal): Promise<void> {
    await this.#runner.run((now) => adopt(adoption, now), signal);
  }

  /** `addresses` undefined: all. `areUsed`: pods had them. */
  returnLeased(
    node: string,
    addresses: ReadonlySet<string> | undefined,
    areUsed: boolean,
    signal?: AbortSignal,
  ): Promise<string[]> {
    return this.#runner.run((now) => returnLeased(node, addresses, areUsed, now), signal);
  }

  async #fill(
    node: string,
    family: Family,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      await this.#book.autoAssign(
        {
          node,
          owner: warmOwner(node, this.#clock.now()),
          namespace: '',
          use: 'Workload',
          wanted: wanted(family, count, []),
          maxBlocks: 0,
        },
        signal,
      );
    } catch (error) {
      // Holding fewer than asked for, or none, is no fault.
      const isShort = error instanceof IpamError && /^(exhausted|not-found)$/.test(error.reason);
      if (!isShort) throw error;
    }
  }
}

function wanted(family: Family, count: number, pools: readonly string[]) {
  const none = { count: 0, pools: [] };
  return family === 4 ? { 4: { count, pools }, 6: none } : { 4: none, 6: { count, pools } };
}
