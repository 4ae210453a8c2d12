// The api as the start-up needs it.
import { type AnyResource, type Kind, parseStored, type ResourceOf } from '@calico/model';
import type { ResourceService } from '@calico/proto/api/v1/resources';
import { type RpcClient, RpcError } from '@calico/rpc';

type Client = Pick<RpcClient<typeof ResourceService>, 'get' | 'list' | 'create' | 'replace'>;

const TIMEOUT_MS = 5_000;

/** Rejects with RpcError. */
export interface ClusterStore {
  get<K extends Kind>(kind: K, name: string): Promise<ResourceOf<K> | undefined>;
  list<K extends Kind>(kind: K): Promise<ResourceOf<K>[]>;
  /** ALREADY_EXISTS when it is there. */
  create(resource: AnyResource): Promise<void>;
  /** ABORTED when it changed since it was read, NOT_FOUND when it is gone. */
  replace(resource: AnyResource): Promise<void>;
}

export class RpcClusterStore implements ClusterStore {
  readonly #client: Client;
  readonly #signal: AbortSignal;

  constructor(client: Client, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  async get<K extends Kind>(kind: K, name: string): Promise<ResourceOf<K> | undefined> {
    try {
      const key = { kind, namespace: '', name };
      const { resource } = await this.#client.get({ key }, this.#options());
      return resource === undefined ? undefined : parseStored(kind, resource.json);
    } catch (error) {
      if (error instanceof RpcError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async list<K extends Kind>(kind: K): Promise<ResourceOf<K>[]> {
    const found: ResourceOf<K>[] = [];
    let pageToken = '';
    do {
      const page = await this.#client.list({ kind, pageToken }, this.#options());
      found.push(...page.resources.map(({ json }) => parseStored(kind, json)));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return found;
  }

  async create(resource: AnyResource): Promise<void> {
    await this.#client.create({ resource: wire(resource) }, this.#options());
  }

  async replace(resource: AnyResource): Promise<void> {
    await this.#client.replace({ resource: wire(resource) }, this.#options());
  }

  #options() {
    return { timeoutMs: TIMEOUT_MS, signal: this.#signal };
  }
}

function wire(resource: AnyResource) {
  const { kind, metadata } = resource;
  return { kind, namespace: '', name: metadata.name, json: JSON.stringify(resource) };
}
