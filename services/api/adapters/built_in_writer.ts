// Creates what every cluster has, once etcd can be reached.
import type { Clock } from '@calico/clock';
import { keyOf, parseResource, resourcePath } from '@calico/model';
import type { Store } from '@calico/store';
import type { HealthRegistry, Logger } from '@calico/telemetry';
import { builtInDocuments } from '../core/built_in.ts';
import { type Birth, documentToStore } from '../core/documents.ts';

const RETRY_MS = 1000;

export async function writeBuiltIns(options: {
  readonly store: Store;
  readonly birth: () => Birth;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthRegistry;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, birth, version, clock, logger, health, signal } = options;
  const documents = builtInDocuments(birth().uid, version).map(parseResource);
  health.report('etcd', { live: true, ready: false, detail: 'not reached yet' });
  let said = '';
  while (!signal.aborted) {
    try {
      for (const document of documents) {
        const key = resourcePath(keyOf(document));
        await store.commit({
          compare: [{ key, modRevision: 0n }],
          operations: [{ kind: 'put', key, value: documentToStore(document, birth()) }],
        });
      }
      health.report('etcd', { live: true, ready: true });
      return;
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      health.report('etcd', { live: true, ready: false, detail });
      if (detail !== said) logger.warn('cannot reach etcd yet', { error: detail });
      said = detail;
      await clock.sleep(RETRY_MS, signal).catch(() => {});
    }
  }
}
