import type { FeedEvent } from '../events.ts';

/** An event in few words, for tests to compare. */
export function eventText(event: FeedEvent): string {
  switch (event.kind) {
    case 'snapshot-start':
      return `start ${event.source}`;
    case 'put':
      return `put ${event.resource.metadata.name}@${event.revision}`;
    case 'removed':
      return `removed ${event.key.name}@${event.revision}`;
    case 'in-sync':
      return `in-sync ${event.revision}`;
    case 'source-lost':
      return `lost ${event.source}`;
    default:
      return event satisfies never;
  }
}
