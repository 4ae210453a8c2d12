// The node's BGP speaker:
//
//   NATS or api --feed--> view --resources--> BgpNode <--tcp 179--> peers
//                           |                  |   ^
//                     cache (file)             v   +-- netlink monitor
//                                        kernel routes (netlink)
//       router advertisements <--icmpv6--> far ends of links without addresses
//                    BFD (own thread) <--udp 3784, 4784--> peers
//   calicoctl --gRPC, unix socket--> handlers  |
//                                              +--> reports (NATS)
//
// What sessions need is loaded at once. NATS, gRPC and protobuf, more than half of the program, are loaded
// when sessions have begun: with remembered resources, peers do not wait for them.
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { ResourceView } from '@calico/feed';
import { openNetlink } from '@calico/netlink';
import { natsAccess, runService } from '@calico/process';
import { BfdThread } from './adapters/bfd_thread.ts';
import { BmpClient } from './adapters/bmp_client.ts';
import { FeedReader } from './adapters/feed_reader.ts';
import { HealthTeller } from './adapters/health_teller.ts';
import { HeldReporter } from './adapters/held_reporter.ts';
import { watchKernel } from './adapters/kernel_monitor.ts';
import { KernelRoutes } from './adapters/kernel_routes.ts';
import { loadLateLibraries } from './adapters/late_libraries.ts';
import { LinkNeighbours } from './adapters/link_neighbours.ts';
import { Listeners } from './adapters/listeners.ts';
import { publishMetrics } from './adapters/metrics.ts';
import { openRecorder } from './adapters/recorder.ts';
import { RecordingFile } from './adapters/recording_file.ts';
import { ResourceCache } from './adapters/resource_cache.ts';
import { SecretFiles } from './adapters/secret_files.ts';
import { ServiceCache } from './adapters/service_cache.ts';
import { createTcpTransport, type PasswordOf } from './adapters/tcp_transport.ts';
import { settings } from './config.ts';
import { Turns } from './core/host/turns.ts';
import { BgpNode } from './core/node/bgp_node.ts';

await runService({
  name: 'bgp',
  summary: "the node's BGP speaker: sessions, cluster routes, blackholes of own blocks",
  listen: 'unix:$CALICO_RUN_DIR/bgp.sock',
  httpListen: '127.0.0.1:9098',
  settings,
  async main(context) {
    const { config, logger, clock, signal, version, health, metrics } = context;
    // What cannot work ends the process before it disturbs a session.
    const nats = natsAccess(config, logger);
    context.checkTarget(config.apiAddress);
    const name = config.nodeName;
    const startedAt = clock.now();
    const netlink = openNetlink();
    const turns = new Turns(clock, (callback) => void setImmediate(callback));
    const kernel = new KernelRoutes(netlink, { defer: turns.defer });
    const recorder =
      config.recording === '' ? undefined : openRecorder(config.recording, clock, logger);
    const serviceCachePath = join(config.runDir, 'bgp', 'services.json');
    const serviceCache = new ServiceCache(serviceCachePath, name, clock, logger);
    const secrets = new SecretFiles(config.secretsDir);
    const passwordOf: PasswordOf = (secret) => secrets.valueOf(secret);
    const bfd = new BfdThread({
      clock,
      log: logger,
      onStatus: (status) => node.pathChanged(status),
    });
    const links = new LinkNeighbours({
      clock,
      random: Math.random,
      netlink,
      onChange: () => node.deriveAgain(),
    });
    const collector = new BmpClient(clock, logger);
    const recording = new RecordingFile(join(config.runDir, 'bgp', 'sessions.mrt'), logger);
    const reporter = new HeldReporter();
    const node: BgpNode = new BgpNode({
      node: name,
      routerId: config.routerId,
      clock,
      random: Math.random,
      turns,
      transport: createTcpTransport(passwordOf),
      kernel,
      reporter: new HealthTeller(reporter, health, logger),
      log: logger,
      bfd,
      links,
      collector,
      recording,
      secrets: (secret) => secrets.versionOf(secret),
      serviceClusterIPs: config.advertiseClusterIPs,
      onListen: (listen) => listeners.set(listen),
      ...(recorder === undefined ? {} : { record: recorder.record }),
    });
    const listeners = new Listeners(
      clock,
      (...arrival) => node.accept(...arrival),
      (problem) => node.setListenProblem(problem),
      passwordOf,
    );
    secrets.watch(clock, () => node.deriveAgain());
    void watchKernel((news) => node.kernelChanged(news), {
      clock,
      log: logger,
      signal,
      kernel,
    });
    const cachePath = join(config.runDir, 'bgp', 'resources.json');
    const cache = new ResourceCache(cachePath, name, clock, logger);
    const reader = new FeedReader({
      node: name,
      view: new ResourceView(),
      clock,
      cache,
      onServices: (news) => node.services.take(news),
      onRevision: (revision) => node.setRevision(revision),
      onResources: (resources, state) => node.setResources(resources, state),
    });
    node.services.remember(serviceCache.load());
    node.services.follow(() => serviceCache.save(() => node.services.announced()));
    await reader.start();
    publishMetrics(metrics, node);
    await loadLateLibraries();
    const { linkCluster } = await import('./adapters/cluster_link.ts');
    const cluster = await linkCluster(context, nats, startedAt);
    reporter.tellTo(cluster.reporter);
    void reader.run(cluster.events);
    await turn();
    const { bgpService } = await import('./adapters/grpc_handlers.ts');
    const server = await context.serve(bgpService(node, name, version));
    await turn();
    const { rehearse } = await import('./core/rehearsal/rehearse.ts');
    const { Rehearsal } = await import('./core/rehearsal/rehearsal.ts');
    const { rehearsalKernel } = await import('./adapters/rehearsal_kernel.ts');
    const rehearsal = () => new Rehearsal(() => rehearsalKernel(kernel));
    const endRehearsal = rehearse(clock, node.speaker.rib, rehearsal);
    return async () => {
      endRehearsal();
      await server.stop();
      listeners.close();
      node.stop();
      await bfd.stop();
      await links.close();
      collector.close();
      recording.close();
      secrets.close();
      recorder?.close();
      cache.close();
      serviceCache.close();
      await cluster.close();
      kernel.close();
      netlink.close();
    };
  },
});
