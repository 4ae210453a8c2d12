import type { Clock } from '@calico/clock';
import { KINDS, type Kind } from '@calico/model';
import type { Resource } from '@calico/proto/api/v1/resources';
import type { ResourceApi } from './open_feed.ts';
import { readResource } from './read_resource.ts';
import { Reading } from './reading.ts';
import type { SourceEvent } from './source_event.ts';

export type ApiSourceOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly skipped: (reason: string) => void;
};

const RETRY_MS = { first: 250, most: 5_000 };

/** The api's List, then its Watch, again and again. Ends with the signal. */
export async function* apiSource(options: ApiSourceOptions): AsyncIterable<SourceEvent> {
  const { clock, random, signal } = options;
  let delayMs = RETRY_MS.first;
  while (!signal.aborted) {
    let started = false;
    let reason = 'the api ended the watch';
    try {
      for await (const event of listAndWatch(options)) {
        started = true;
        if (event.kind === 'in-sync') delayMs = RETRY_MS.first;
        yield event;
      }
    } catch (cause) {
      if (signal.aborted) return;
      reason = cause instanceof Error ? cause.message : String(cause);
    }
    if (signal.aborted) return;
    if (started) yield { kind: 'lost', reason };
    await clock.sleep(delayMs * (0.5 + random()), signal).catch(() => {});
    delayMs = Math.min(delayMs * 2, RETRY_MS.most);
  }
}

async function* listAndWatch(options: ApiSourceOptions): AsyncIterable<SourceEvent> {
  const { api, signal, skipped } = options;
  const reading = new Reading();
  async function* puts(resources: readonly Resource[]): AsyncIterable<SourceEvent> {
    for (const resource of resources) {
      yield* reading.read(() => put(resource, skipped));
      await reading.pause();
    }
  }
  let page = await api.list({}, { signal });
  const { revision } = page;
  yield { kind: 'snapshot-start', position: revision };
  yield* puts(page.resources);
  while (page.nextPageToken !== '') {
    page = await api.list({ pageToken: page.nextPageToken }, { signal });
    yield* puts(page.resources);
  }
  yield { kind: 'in-sync', revision };
  for await (const { event } of api.watch({ fromRevision: revision }, { signal })) {
    switch (event.case) {
      case 'put':
        yield* puts([event.value]);
        break;
      case 'removed':
        yield* removed(event.value, skipped);
        break;
      case 'bookmark':
        yield { kind: 'in-sync', revision: event.value.revision };
        break;
      case undefined:
        skipped('Cannot read an event of the api: neither put, removed nor bookmark');
        break;
      default:
        event satisfies never;
    }
  }
}

type Named = { readonly kind: string; readonly namespace: string; readonly name: string };

function put(wire: Resource, skipped: (reason: string) => void): SourceEvent[] {
  const read = readResource(wire);
  if (read.kind === 'resource') {
    return [{ kind: 'put', resource: read.resource, revision: wire.revision }];
  }
  skipped(read.reason);
  // As the relay has it: what cannot be read does not exist, and what was there before is over.
  return removed({ key: wire, revision: wire.revision }, skipped);
}

function removed(
  { key, revision }: { readonly key?: Named | undefined; readonly revision: bigint },
  skipped: (reason: string) => void,
): SourceEvent[] {
  if (key === undefined || !Object.hasOwn(KINDS, key.kind)) {
    skipped(`Cannot read a removal: kind "${key?.kind ?? ''}"`);
    return [];
  }
  const { kind, namespace, name } = key;
  return [{ kind: 'removed', key: { kind: kind as Kind, namespace, name }, revision }];
}
