// Address management as a process:
//
//   clients ─gRPC→ grpc_handlers → address_book → program_runner ─get, list, txn→ etcd
//                    (checks)      (sequences)      (runs core/programs)
import { etcdAccess, runService } from '@calico/process';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { openEtcd } from '@calico/store';
import { AddressBook } from './adapters/address_book.ts';
import { createHandlers } from './adapters/grpc_handlers.ts';
import { ProgramRunner } from './adapters/program_runner.ts';
import { watchReachability } from './adapters/reachability.ts';
import { settings } from './config.ts';

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
    const server = await context.serve([IpamService, createHandlers(new AddressBook(runner))]);
    void watchReachability({ store, clock, health, signal });
    logger.info('serving', { address: server.address });
    return async () => {
      await server.stop();
      store.close();
    };
  },
});
