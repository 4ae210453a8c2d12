// Resources as a process:
//
//   clients ─gRPC→ grpc_handlers → resource_reader ─get, list, watch→ etcd
//                               → resource_writer ─compare and swap→
//   etcd ─watch→ relay (the replica that holds the lease) ─JetStream→ felix, bgp, status
import { randomUUID } from 'node:crypto';
import { connectBus } from '@calico/bus';
import { etcdAccess, natsAccess, runService, watchDependency } from '@calico/process';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { openEtcd } from '@calico/store';
import { writeBuiltIns } from './adapters/built_in_writer.ts';
import { createHandlers } from './adapters/grpc_handlers.ts';
import { ResourceReader } from './adapters/resource_reader.ts';
import { ResourceWriter } from './adapters/resource_writer.ts';
import { settings } from './config.ts';
import { startRelay } from './relay/relay.ts';

/** Any key does to see whether etcd answers. */
const PROBE = '/calico/resources/v3/projectcalico.org/clusterinformations/default';

await runService({
  name: 'api',
  summary: 'validated resources in etcd, and the relay that tells the nodes what changed',
  listen: '127.0.0.1:5671',
  httpListen: '127.0.0.1:9180',
  settings,
  async main(context) {
    const { config, logger, clock, health, metrics, signal, version } = context;
    const store = openEtcd({ ...etcdAccess(config, logger), clock, logger });
    const bus = connectBus({ ...natsAccess(config, logger), name: 'api', logger, clock });
    const birth = () => ({
      uid: randomUUID(),
      creationTimestamp: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
    });
    const reader = new ResourceReader(store);
    const writer = new ResourceWriter({ store, reader, birth, now: () => clock.now() });
    const server = await context.serve([
      ResourceService,
      createHandlers({ reader, writer, version }),
    ]);
    const askEtcd = (stopped: AbortSignal) => store.get(PROBE, { signal: stopped });
    void writeBuiltIns({ store, birth, version, clock, logger, health, signal }).then(() =>
      watchDependency({ name: 'etcd', ask: askEtcd, clock, health, signal }),
    );
    const relay = startRelay({ store, bus, logger, clock, signal });
    metrics.observe('api_relay_leading', '1 when this replica relays etcd to NATS', () =>
      relay.leading ? 1 : 0,
    );
    metrics.observe('api_relay_revision', 'etcd revision that NATS is complete up to', () =>
      Number(relay.revision),
    );
    metrics.observe(
      'api_relay_unreadable',
      'Resources in etcd that could not be read',
      () => relay.counts.unreadable,
    );
    return async () => {
      await server.stop();
      await relay.done;
      await bus.close();
      store.close();
    };
  },
});
