// The two streams as they should be. Whoever comes first creates them; all agree on what they are.
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { type BusLogger, STREAMS } from './ports.ts';

const NANOSECONDS_PER_SECOND = 1_000_000_000;

const COMMON = {
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: 1,
  // How long a message's id is remembered to refuse a second one.
  duplicate_window: 120 * NANOSECONDS_PER_SECOND,
} as const;

type Config = Partial<StreamConfig> & { readonly name: string };

const CONFIGS: readonly Config[] = [
  {
    ...COMMON,
    name: STREAMS.resources,
    subjects: ['calico.resource.>', 'calico.relay.>'],
    storage: StorageType.File,
    max_age: 0,
  },
  {
    ...COMMON,
    name: STREAMS.nodes,
    subjects: ['calico.node.>'],
    storage: StorageType.Memory,
    // Nodes repeat themselves; what a gone node said last is of no use for ever.
    max_age: 3600 * NANOSECONDS_PER_SECOND,
  },
];

const STREAM_NOT_FOUND = 10059;
const UPDATED = ['subjects', 'max_age', 'max_msgs_per_subject', 'duplicate_window'] as const;

/** Creates what is missing, corrects what can be corrected. Safe to run by many at once. */
export async function ensureStreams(manager: JetStreamManager, logger: BusLogger): Promise<void> {
  for (const config of CONFIGS) await ensureStream(manager, config, logger);
}

async function ensureStream(
  manager: JetStreamManager,
  wanted: Config,
  logger: BusLogger,
): Promise<void> {
  const found = await streamConfig(manager, wanted.name);
  if (found === undefined) {
    // Adding a stream that exists just so is no error: another one may have come first.
    await manager.streams.add(wanted);
    logger.info(`Created stream "${wanted.name}"`);
    return;
  }
  const differs = UPDATED.filter(
    (field) => JSON.stringify(found[field]) !== JSON.stringify(wanted[field]),
  );
  if (differs.length > 0) {
    await manager.streams.update(
      wanted.name,
      Object.fromEntries(differs.map((field) => [field, wanted[field]])),
    );
    logger.warn(`Corrected stream "${wanted.name}": ${differs.join(', ')}`);
  }
  if (found.storage !== wanted.storage) {
    logger.warn(`Stream "${wanted.name}" is kept in "${found.storage}", not "${wanted.storage}"`);
  }
}

async function streamConfig(
  manager: JetStreamManager,
  name: string,
): Promise<StreamConfig | undefined> {
  try {
    return (await manager.streams.info(name)).config;
  } catch (cause) {
    if (cause instanceof JetStreamApiError && cause.code === STREAM_NOT_FOUND) return undefined;
    throw cause;
  }
}
