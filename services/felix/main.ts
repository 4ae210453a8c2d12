// Felix, the node's agent:
//
//   CNI ---gRPC, unix socket---> handlers --> adder, remover --> ipam, api (gRPC)
//                                               |   journal (files)
//                                               v
//   NATS or api --feed--> view --> agent --> kernel (netlink), packet filter (nftables)
//                                    |   ^
//                                    |   +-- netlink monitor, packet filter's watch
//                                    v
//                                 reports (NATS)
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connectBus } from '@calico/bus';
import { openFeed, ResourceView } from '@calico/feed';
import { openConntrack, openNetlink } from '@calico/netlink';
import { natsAccess, runService } from '@calico/process';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { FelixService } from '@calico/proto/felix/v1/felix';
import { PolicyService } from '@calico/proto/felix/v1/policy';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { NodeAddressService } from '@calico/proto/ipam/v1/node_addresses';
import { ApiClient } from './adapters/api_client.ts';
import { KernelConnections } from './adapters/connections.ts';
import { crashPoint } from './adapters/crash_point.ts';
import { createHandlers } from './adapters/grpc_handlers.ts';
import { IpamClient } from './adapters/ipam_client.ts';
import { JournalFiles } from './adapters/journal_files.ts';
import { NetlinkKernel } from './adapters/kernel.ts';
import { KernelMonitor } from './adapters/kernel_monitor.ts';
import { LeaseClient } from './adapters/lease_client.ts';
import { NodeFiles } from './adapters/node_files.ts';
import { openPacketFilter } from './adapters/packet_filter.ts';
import { patienceFor } from './adapters/patience.ts';
import { NetlinkPodNetwork } from './adapters/pod_network.ts';
import { answerPolicyQuestions } from './adapters/policy_questions.ts';
import { openPolicyService } from './adapters/policy_service.ts';
import { BusReporter } from './adapters/reports.ts';
import { JsonStockFile } from './adapters/stock_file.ts';
import { settings } from './config.ts';
import { assemble } from './core/assemble.ts';
import { nodeMtu } from './core/node_mtu.ts';
import { pendingPolicies } from './core/policy_inputs.ts';

await runService({
  name: 'felix',
  summary: "the node's agent: pods' interfaces, routes, tunnels and policy",
  listen: 'unix:$CALICO_RUN_DIR/felix.sock',
  httpListen: '127.0.0.1:9099',
  settings,
  async main(context) {
    const { config, logger, clock, metrics, signal, version } = context;
    const node = config.nodeName;
    const started = clock.now();
    mkdirSync(config.runDir, { recursive: true });
    const stateDirectory = join(config.libDir, 'felix');
    const journal = new JournalFiles(join(stateDirectory, 'workloads'), logger);
    const files = new NodeFiles(config.libDir, logger);
    files.write('nodename', node);
    const netlink = openNetlink();
    const packetFilter = openPacketFilter({ node, logger });
    const connections = new KernelConnections(openConntrack(), netlink, logger);
    const bus = connectBus({
      ...natsAccess(config, logger),
      name: `felix@${node}`,
      logger,
      clock,
    });
    const api = await context.connect(ResourceService, config.apiAddress);
    const ipam = await context.connect(IpamService, config.ipamAddress);
    const leases = await context.connect(NodeAddressService, config.ipamAddress);
    const patience = patienceFor(config.etcdTimeoutSeconds);
    const view = new ResourceView();
    const reporter = new BusReporter({ bus, node, version, started });
    const workloads = metrics.gauge('felix_local_endpoints', 'Endpoints of this node');
    const pending = metrics.gauge('felix_policies_pending', 'Staged policies, never enforced');
    const revision = metrics.gauge('felix_applied_revision', 'Revision in force in the kernel');
    const felix = assemble({
      node,
      version,
      view,
      journal,
      clock,
      packetFilter,
      connections,
      log: logger,
      kernel: new NetlinkKernel(netlink),
      pods: new NetlinkPodNetwork(netlink),
      addresses: new IpamClient(ipam, leases, node, () => clock.now(), patience),
      leases: new LeaseClient(leases, node, () => clock.now(), patience),
      stockFile: new JsonStockFile(join(stateDirectory, 'ready_addresses.json'), logger),
      store: new ApiClient(api, patience),
      reporter: {
        report: (state) => {
          reporter.report(state);
          workloads.set(state.endpoints.length);
          revision.set(Number(state.appliedRevision));
          pending.set(pendingPolicies(view));
          const underlay = felix.agent.underlayMtu;
          if (view.inSync && underlay !== undefined) {
            files.write('mtu', String(nodeMtu(node, view, underlay)));
          }
          context.health.report('dataplane', {
            live: true,
            ready: state.ready,
            detail:
              state.messages.join('; ') || (state.inSync ? 'in sync' : 'waiting for the cluster'),
          });
        },
      },
      random: { bytes: (count) => new Uint8Array(randomBytes(count)) },
      jitter: Math.random,
      step: crashPoint(config.crashAt, stateDirectory),
    });
    const monitor = new KernelMonitor({
      netlink,
      onChange: () => felix.agent.kernelChanged(),
      log: logger,
      clock,
      signal,
    });
    void monitor.run();
    felix.start();
    const policy = openPolicyService({
      node,
      packetFilter,
      connections,
      metrics,
      clock,
      signal,
      log: logger,
      workloads: () => felix.workloads(),
      interfaceName: (index) => netlink.linkByIndex(index)?.name,
    });
    const server = await context.serve(
      [FelixService, createHandlers(felix.actions)],
      [PolicyService, policy.handlers],
    );
    const stopAnswering = answerPolicyQuestions(bus, node, policy.handlers);
    void (async () => {
      for await (const event of openFeed({ bus, api, clock, logger, signal })) {
        view.apply(event);
        if (view.inSync) felix.viewChanged(view.takeChangedKinds());
      }
    })();
    context.health.report('dataplane', { live: true, ready: false, detail: 'starting' });
    return async () => {
      stopAnswering();
      await server.stop();
      policy.close();
      felix.stop();
      await felix.leave().catch((cause: unknown) => {
        logger.warn('ready addresses not returned', { cause: String(cause) });
      });
      leases.close();
      packetFilter.close();
      connections.close();
      api.close();
      ipam.close();
      await bus.close();
      netlink.close();
    };
  },
});
