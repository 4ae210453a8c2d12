// gRPC clients of the cluster's services, on the ports that the engine maps.
import assert from 'node:assert/strict';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { BgpService } from '@calico/proto/bgp/v1/bgp';
import type { BgpPeerStatus } from '@calico/proto/events/v1/events';
import { FelixService } from '@calico/proto/felix/v1/felix';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { StatusService } from '@calico/proto/status/v1/status';
import { connectRpc, type DescService, type RpcClient } from '@calico/rpc';
import type { ContainerCluster, NodeName, PORTS } from './cluster.ts';

/** Longer than anything takes on a busy machine. */
const CONNECT = { insecure: true, timeoutMs: 60_000 };

export class Clients {
  readonly #cluster: ContainerCluster;
  readonly #open = new Map<string, RpcClient<DescService>>();

  constructor(cluster: ContainerCluster) {
    this.#cluster = cluster;
  }

  get api(): RpcClient<typeof ResourceService> {
    return this.#client(ResourceService, 'api', 'api');
  }

  get ipam(): RpcClient<typeof IpamService> {
    return this.#client(IpamService, 'ipam', 'ipam');
  }

  get status(): RpcClient<typeof StatusService> {
    return this.#client(StatusService, 'status', 'status');
  }

  /** Whether the node's felix could add a pod now. */
  async isReady(node: NodeName): Promise<boolean> {
    return (await this.#client(FelixService, node, 'felix').getReadiness({})).ready;
  }

  async peersOf(node: NodeName): Promise<readonly BgpPeerStatus[]> {
    return (await this.#client(BgpService, node, 'bgp').listPeers({})).peers;
  }

  /** Applies a resource; answers its revision. */
  async apply(kind: string, name: string, spec: object, namespace = ''): Promise<bigint> {
    const metadata = namespace === '' ? { name } : { name, namespace };
    const json = JSON.stringify({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
    const { resource } = await this.api.apply({ resource: { kind, name, namespace, json } });
    assert.ok(resource, `the answer to apply of ${kind} "${name}" holds the resource`);
    return resource.revision;
  }

  /** Resolves with the number of nodes when a revision is in force on all of them. */
  async applied(kind: string, revision: bigint): Promise<number> {
    let nodes = 0;
    const progress = this.status.waitApplied(
      { targets: [{ kind, revision }] },
      { timeoutMs: 120_000 },
    );
    for await (const { nodesApplied } of progress) nodes = nodesApplied;
    return nodes;
  }

  close(): void {
    for (const client of this.#open.values()) client.close();
  }

  #client<S extends DescService>(
    service: S,
    container: string,
    port: keyof typeof PORTS,
  ): RpcClient<S> {
    const target = this.#cluster.target(container, port);
    const client = this.#open.get(target) ?? connectRpc(service, target, CONNECT);
    this.#open.set(target, client as RpcClient<DescService>);
    return client as RpcClient<S>;
  }
}
