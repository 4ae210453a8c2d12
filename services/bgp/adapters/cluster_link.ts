// How the node hears of the cluster's resources and tells what became of them. Loaded late, see main.ts.
import { connectBus } from '@calico/bus';
import { type FeedEvent, openFeed } from '@calico/feed';
import type { NatsAccess, ServiceContext } from '@calico/process';
import { ResourceService } from '@calico/proto/api/v1/resources';
import type { BgpConfig } from '../config.ts';
import type { Reporter } from '../ports.ts';
import { busReporter } from './bus_reporter.ts';

export type ClusterLink = {
  readonly events: AsyncIterable<FeedEvent>;
  readonly reporter: Reporter;
  close(): Promise<void>;
};

/** @param startedAt milliseconds since the epoch */
export async function linkCluster(
  context: ServiceContext<BgpConfig>,
  nats: NatsAccess,
  startedAt: number,
): Promise<ClusterLink> {
  const { config, logger, clock, signal, version } = context;
  const node = config.nodeName;
  const bus = connectBus({ ...nats, name: `bgp@${node}`, logger, clock });
  const api = await context.connect(ResourceService, config.apiAddress);
  return {
    events: openFeed({ bus, api, clock, logger, signal }),
    reporter: busReporter({ bus, node, version, startedAt }),
    close: async () => {
      api.close();
      await bus.close();
    },
  };
}
