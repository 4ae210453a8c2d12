import type { Bus } from '@calico/bus';
import { readResource } from './read_resource.ts';
import { Reading } from './reading.ts';
import type { SourceEvent } from './source_event.ts';

/** The bus's resources as documents. Ends with the signal. */
export async function* natsSource(
  bus: Pick<Bus, 'resources'>,
  signal: AbortSignal,
  skipped: (reason: string) => void,
): AsyncIterable<SourceEvent> {
  const reading = new Reading();
  for await (const message of bus.resources(signal)) {
    switch (message.kind) {
      case 'snapshot-start': {
        const { marker } = message;
        yield {
          kind: 'snapshot-start',
          position: marker?.revision ?? 0n,
          etcdClusterId: marker?.etcdClusterId,
        };
        break;
      }
      case 'put': {
        const read = reading.read(() => readResource(message.resource));
        if (read.kind === 'garbage') skipped(read.reason);
        else yield { kind: 'put', resource: read.resource, revision: message.revision };
        await reading.pause();
        break;
      }
      case 'removed':
        yield { kind: 'removed', key: message.key, revision: message.revision };
        break;
      case 'in-sync':
        yield { kind: 'in-sync', ...message.marker };
        break;
      case 'lost':
        yield message;
        break;
      default:
        message satisfies never;
    }
  }
}
