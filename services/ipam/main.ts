// Address management as a process:
//
//   clients ─gRPC→ grpc_handlers → address_book → program_runner ─get, list, txn→ etcd
//                    (checks)      (sequences)      (runs core/programs)
import { randomUUID } from 'node:crypto';
import { etcdAccess, runService, watchDependency } from '@calico/process';
import { IpamAdminService } from '@calico/proto/ipam/v1/admin';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { NodeAddressService } from '@calico/proto/ipam/v1/node_addresses';
import { openEtcd } from '@calico/store';
import { AddressBook } from './adapters/address_book.ts';
import { createAdminHandlers } from './adapters/admin_handlers.ts';
import { createHandlers } from './adapters/grpc_handlers.ts';
import { Inspector } from './adapters/inspector.ts';
import { NodeAddressBook } from './adapters/node_address_book.ts';
import { createNodeAddressHandlers } from './adapters/node_address_handlers.ts';
import { NodeRemover } from './adapters/node_remover.ts';
import { PlacementPlanner } from './adapters/placement_planner.ts';
import { recordUtilization } from './adapters/pool_metrics.ts';
import { ProgramRunner } from './adapters/program_runner.ts';
import { UtilizationFeed } from './adapters/utilization_feed.ts';
import { settings } from './config.ts';
import { CONFIG_KEY } from './core/records/keys.ts';

await runService({
  name: 'ipam',
  summary: 'addresses, blocks, affinities and handles in etcd',
  listen: '127.0.0.1:5672',
  httpListen: '127.0.0.1:9181',
  settings,
  async main(context) {
    const { config, logger, clock, health, metrics, signal } = context;
    const store = openEtcd({ ...etcdAccess(config, logger), clock, logger });
    const conflicts = metrics.counter('ipam_conflicts_total', 'Transactions that lost a race');
    const runner = new ProgramRunner({
      store,
      clock,
      random: Math.random,
      onConflict: () => conflicts.add(1),
    });
    const book = new AddressBook(runner);
    const feed = new UtilizationFeed({ store, clock });
    const remover = new NodeRemover(store, runner, book);
    const inspector = new Inspector({ store, clock, runner, remover });
    const planner = new PlacementPlanner({
      runner,
      clock,
      logger,
      metrics,
      intervalSeconds: config.planIntervalSeconds,
      applies: config.planApplies,
    });
    const server = await context.serve(
      [IpamService, createHandlers(book)],
      [NodeAddressService, createNodeAddressHandlers(new NodeAddressBook(book, runner, clock))],
      [
        IpamAdminService,
        createAdminHandlers({ inspector, runner, newUid: randomUUID, feed, remover, planner }),
      ],
    );
    void feed.run(signal);
    void planner.run(signal);
    void recordUtilization(feed, metrics, signal);
    const askEtcd = (stopped: AbortSignal) => store.get(CONFIG_KEY, { signal: stopped });
    void watchDependency({ name: 'etcd', ask: askEtcd, clock, health, signal });
    logger.info('serving', { address: server.address });
    return async () => {
      await server.stop();
      store.close();
    };
  },
});
