import type { Clock } from '@calico/clock';
import type { Bus } from './bus.ts';
import { NatsStreams } from './nats_streams.ts';
import type { BusLogger } from './ports.ts';
import { StreamBus } from './stream_bus.ts';

export type ConnectBusOptions = {
  /** `nats://host:port`, several separated by commas. */
  readonly servers: string;
  /** How this client is called in NATS's monitoring. */
  readonly name: string;
  /** Paths of PEM files. Given, also as {}: a server without TLS is refused. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
      }
    | undefined;
  readonly token?: string | undefined;
  /** Content of a credentials file: JWT and seed. */
  readonly credentials?: Uint8Array | undefined;
  readonly logger: BusLogger;
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: (() => number) | undefined;
};

/** Returns at once; connects, and connects again, for ever. */
export function connectBus(options: ConnectBusOptions): Bus {
  const { logger, clock, random = Math.random } = options;
  return new StreamBus({ streams: new NatsStreams(options), logger, clock, random });
}
