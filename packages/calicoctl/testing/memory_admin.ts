// Administration of IPAM in memory: answers what the test has put in, and keeps what it was asked.
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type CheckResponseSchema,
  type IpamAdminService,
  type PlanMigrationResponseSchema,
  type PlanPlacementResponseSchema,
  type RepairRequest,
} from '@calico/proto/ipam/v1/admin';
import type { ServiceHandlers } from '@calico/rpc';

export class MemoryAdmin {
  checkParts: MessageInitShape<typeof CheckResponseSchema>[] = [];
  plan: MessageInitShape<typeof PlanMigrationResponseSchema> = {};
  placement: MessageInitShape<typeof PlanPlacementResponseSchema> = {};
  readonly repairs: RepairRequest[] = [];

  handlers(): Omit<ServiceHandlers<typeof IpamAdminService>, 'removeNode'> {
    return {
      check: () => this.#check(),
      repair: async (request) => {
        this.repairs.push(request);
        const [first, ...others] = request.addresses;
        return {
          releasedAddresses: others.map(({ address }) => address),
          repairedRecords: request.records.map(({ subject }) => subject),
          skipped:
            first === undefined ? [] : [{ subject: first.address, reason: 'it is in use again' }],
        };
      },
      splitPool: async ({ pool, parts }) => ({
        parts: Array.from({ length: parts }, (_, i) => ({
          name: `split-${pool}-${i}`,
          cidr: `10.${i}.0.0/16`,
        })),
      }),
      planMigration: async () => this.plan,
      watchUtilization: () => this.#nothing(),
      planPlacement: async () => this.placement,
    };
  }

  async *#check() {
    yield* this.checkParts;
  }

  async *#nothing() {}
}
