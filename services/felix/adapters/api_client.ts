import { type IPPool, parseStored, type WorkloadEndpoint } from '@calico/model';
import { PatchType, type ResourceService } from '@calico/proto/api/v1/resources';
import type { RpcClient } from '@calico/rpc';
import type { EndpointId, NodePatch, ResourceStore } from '../ports.ts';
import { type Patience, USUAL_PATIENCE } from './patience.ts';
import { asWorkloadError, hasCode } from './remote_errors.ts';

const REMOVE_ATTEMPTS = 5;

type Client = Pick<RpcClient<typeof ResourceService>, 'get' | 'apply' | 'patch' | 'delete'>;

export class ApiClient implements ResourceStore {
  readonly #client: Client;
  readonly #patience: Patience;

  constructor(client: Client, patience = USUAL_PATIENCE) {
    this.#client = client;
    this.#patience = patience;
  }

  writeEndpoint(endpoint: WorkloadEndpoint, handle = ''): Promise<bigint> {
    const { name, namespace = '' } = endpoint.metadata;
    return asWorkloadError('api', async () => {
      const answer = await this.#client.apply(
        {
          resource: { kind: endpoint.kind, namespace, name, json: JSON.stringify(endpoint) },
          ipamHandle: handle,
        },
        { timeoutMs: this.#patience.writeMs },
      );
      return answer.resource?.revision ?? 0n;
    });
  }

  removeEndpoint(id: EndpointId): Promise<bigint | undefined> {
    return asWorkloadError('api', async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#removeOnce(id);
        } catch (cause) {
          if (hasCode(cause, 'NOT_FOUND')) return undefined;
          // Changed between the reading and the deletion: look again whose it is.
          if (!hasCode(cause, 'ABORTED') || attempt === REMOVE_ATTEMPTS) throw cause;
        }
      }
    });
  }

  async patchNode(node: string, spec: NodePatch): Promise<void> {
    await asWorkloadError('api', () =>
      this.#client.patch(
        {
          key: { kind: 'Node', namespace: '', name: node },
          type: PatchType.MERGE,
          patch: JSON.stringify({ spec }),
        },
        { timeoutMs: this.#patience.writeMs },
      ),
    );
  }

  pool(name: string): Promise<IPPool | undefined> {
    return asWorkloadError('api', async () => {
      try {
        const { resource } = await this.#client.get(
          { key: { kind: 'IPPool', namespace: '', name } },
          { timeoutMs: this.#patience.writeMs },
        );
        return resource === undefined ? undefined : parseStored('IPPool', resource.json);
      } catch (cause) {
        if (hasCode(cause, 'NOT_FOUND')) return undefined;
        throw cause;
      }
    });
  }

  async probe(): Promise<void> {
    await asWorkloadError('api', () =>
      this.#client
        .get(
          { key: { kind: 'ClusterInformation', namespace: '', name: 'default' } },
          { timeoutMs: this.#patience.probeMs },
        )
        .catch((cause: unknown) => {
          if (!hasCode(cause, 'NOT_FOUND')) throw cause;
        }),
    );
  }

  async #removeOnce({ namespace, name, containerId }: EndpointId): Promise<bigint | undefined> {
    const key = { kind: 'WorkloadEndpoint', namespace, name };
    const options = { timeoutMs: this.#patience.removeMs };
    const { resource } = await this.#client.get({ key }, options);
    if (resource === undefined) return undefined;
    const held = parseStored('WorkloadEndpoint', resource.json);
    // Another container has taken the pod's name over.
    if (held.spec.containerID !== containerId) return undefined;
    const answer = await this.#client.delete({ key, revision: resource.revision }, options);
    return answer.revision;
  }
}
