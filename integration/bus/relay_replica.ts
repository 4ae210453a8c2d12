// One relay as a process: relay_replica.ts <etcd host:port> <nats host:port> <name>
import { connectBus } from '@calico/bus';
import { systemClock } from '@calico/clock';
import { openEtcd } from '@calico/store';
import { startRelay } from '../../services/api/relay/relay.ts';

const [etcd = '', nats = '', name = ''] = process.argv.slice(2);
const say = (...words: unknown[]): void => {
  if (process.env['RIG_LOG'] !== undefined) console.error(`# ${name}:`, ...words);
};
const logger = { debug() {}, info: say, warn: say, error: say };
const store = openEtcd({ endpoints: [`http://${etcd}`], clock: systemClock, logger });
const bus = connectBus({ servers: `nats://${nats}`, name, logger, clock: systemClock });
const { signal } = new AbortController();
await startRelay({ store, bus, logger, clock: systemClock, signal, candidate: name }).done;
