// Nodes that answer questions about policy, in memory.
import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  ClusterPolicyService,
  ListPolicyStatsResponseSchema,
  PreviewChangeRequest,
  PreviewChangeResponseSchema,
  WhyRequest,
  WhyResponseSchema,
} from '@calico/proto/status/v1/policy';
import type { ServiceHandlers } from '@calico/rpc';

export class MemoryPolicy {
  /** The last question of each kind. */
  asked: WhyRequest | undefined;
  previewed: PreviewChangeRequest | undefined;
  why: MessageInitShape<typeof WhyResponseSchema> = {};
  stats: MessageInitShape<typeof ListPolicyStatsResponseSchema> = {};
  preview: MessageInitShape<typeof PreviewChangeResponseSchema> = {};

  handlers(): ServiceHandlers<typeof ClusterPolicyService> {
    return {
      why: async (request) => {
        this.asked = request;
        return this.why;
      },
      listPolicyStats: async () => this.stats,
      previewChange: async (request) => {
        this.previewed = request;
        return this.preview;
      },
    };
  }
}
