// Status as a process:
//
//   felix, bgp ─reports over NATS→ board ─→ grpc_handlers ─→ calicoctl apply --wait, dashboards
//   resources ─feed→ (which nodes there are)
import { connectBus } from '@calico/bus';
import { openFeed, ResourceView } from '@calico/feed';
import { natsAccess, runService } from '@calico/process';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { ClusterPolicyService } from '@calico/proto/status/v1/policy';
import { StatusService } from '@calico/proto/status/v1/status';
import { createHandlers } from './adapters/grpc_handlers.ts';
import { createPolicyHandlers } from './adapters/policy_handlers.ts';
import { StatusBoard } from './adapters/status_board.ts';
import { settings } from './config.ts';

await runService({
  name: 'status',
  summary: 'what nodes report: health, peers, endpoints, applied revisions',
  listen: '127.0.0.1:5673',
  httpListen: '127.0.0.1:9182',
  settings,
  async main(context) {
    const { config, logger, clock, health, metrics, signal } = context;
    const bus = connectBus({ ...natsAccess(config, logger), name: 'status', logger, clock });
    const api = await context.connect(ResourceService, config.apiAddress);
    const view = new ResourceView();
    const board = new StatusBoard(view);
    const received = metrics.counter('status_reports_total', 'Reports received from nodes');
    metrics.observe(
      'status_bus_garbage',
      'Messages on the bus that were not what their subject promises',
      () => bus.garbage,
    );
    metrics.observe('status_nodes', 'Node resources known', () => board.nodes.length);
    const policy = createPolicyHandlers({ bus, clock, cluster: view, nodes: () => board.nodes });
    const server = await context.serve(
      [StatusService, createHandlers(board, clock)],
      [ClusterPolicyService, policy],
    );
    const readFeed = async (): Promise<void> => {
      for await (const event of openFeed({ bus, api, clock, logger, signal }))
        board.acceptEvent(event);
    };
    const readReports = async (): Promise<void> => {
      for await (const report of bus.reports(signal)) {
        received.add(1, { topic: report.topic });
        board.acceptReport(report);
      }
    };
    const running = Promise.all([readFeed(), readReports()]);
    const sayConnected = (connected: boolean): void =>
      health.report('nats', { live: true, ready: connected });
    sayConnected(bus.connected);
    bus.onStateChange(sayConnected);
    return async () => {
      await server.stop();
      await running;
      api.close();
      await bus.close();
    };
  },
});
