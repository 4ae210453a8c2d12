// The ipam service's side of ready addresses in memory, for tests, and the file that the node keeps.
import type { LeaseSource, StockFile } from '../ports.ts';
import type { LeasedAddress } from './workload.ts';
import { WorkloadError } from './workload_error.ts';

export const FAKE_LEASE_MS = 600_000;

export class FakeLeases {
  /** As configured, per family. */
  count = 0;
  leased: LeasedAddress[] = [];
  /** Of pools that are disabled. */
  retired: string[] = [];
  /** Why nothing can be adopted. */
  refusal: string | undefined;
  /** Text of the file. */
  file: string | undefined;
  /** Handle to address, of what was adopted. */
  readonly adopted = new Map<string, string>();
  #next = 1;

  /** `check` throws when the service cannot be reached or the process is dead. */
  source(check: () => void): LeaseSource {
    return {
      lease: async (families) => {
        check();
        while (families.includes(4) && this.leased.length < this.count) {
          const number = this.#next++;
          const place = { block: '10.244.0.0/26', pool: 'pool', sequenceNumber: String(number) };
          this.leased.push({ address: `10.244.0.${60 - number}`, ...place });
        }
        const { count, retired } = this;
        return { addresses: [...this.leased], retired, leaseMs: FAKE_LEASE_MS, count };
      },
      adopt: async (handle, _workload, addresses) => {
        check();
        if (this.refusal !== undefined) throw new WorkloadError('precondition', this.refusal);
        for (const { address } of addresses) {
          const held = this.leased.find((one) => one.address === address);
          if (held === undefined) throw new WorkloadError('missing', `${address} is not leased`);
          this.leased = this.leased.filter((one) => one !== held);
          this.adopted.set(handle, address);
        }
      },
      returnLeased: async (addresses) => {
        check();
        this.leased = this.leased.filter(({ address }) => !addresses.includes(address));
      },
    };
  }

  stockFile(alive: () => void): StockFile {
    return {
      load: () => (this.file === undefined ? undefined : JSON.parse(this.file)),
      save: async (stock) => {
        alive();
        this.file = JSON.stringify(stock);
      },
    };
  }
}
