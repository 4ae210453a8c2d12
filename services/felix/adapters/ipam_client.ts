import { formatAddress, parseAddress } from '@calico/ip';
import { IntendedUse, type IpamService } from '@calico/proto/ipam/v1/ipam';
import { type NodeAddressService, Tunnel } from '@calico/proto/ipam/v1/node_addresses';
import type { RpcClient } from '@calico/rpc';
import type { TunnelKind } from '../core/tunnel_addresses.ts';
import type { AssignedAddress, Workload } from '../core/workload.ts';
import { endpointNameOf } from '../core/workload_endpoint.ts';
import { WorkloadError } from '../core/workload_error.ts';
import type { AddressBook, EndpointId } from '../ports.ts';
import { type Patience, USUAL_PATIENCE } from './patience.ts';
import { asWorkloadError, hasCode } from './remote_errors.ts';

type Client = Pick<
  RpcClient<typeof IpamService>,
  'autoAssign' | 'assignIp' | 'releaseByHandle' | 'ipsByHandle' | 'getAssignment'
>;

type OwnClient = Pick<
  RpcClient<typeof NodeAddressService>,
  'assignTunnelAddress' | 'releaseTunnelAddress'
>;

const TUNNELS: Readonly<Record<TunnelKind, Tunnel>> = {
  ipip: Tunnel.IPIP,
  vxlan: Tunnel.VXLAN,
  'vxlan-v6': Tunnel.VXLAN_V6,
};

export class IpamClient implements AddressBook {
  readonly #client: Client;
  readonly #own: OwnClient;
  readonly #node: string;
  readonly #now: () => number;
  readonly #patience: Patience;

  /** `own`: for the node's own addresses. `now`: milliseconds since the Unix epoch. */
  constructor(
    client: Client,
    own: OwnClient,
    node: string,
    now: () => number,
    patience = USUAL_PATIENCE,
  ) {
    this.#client = client;
    this.#own = own;
    this.#node = node;
    this.#now = now;
    this.#patience = patience;
  }

  assign(request: {
    readonly handle: string;
    readonly workload: Workload;
  }): Promise<readonly AssignedAddress[]> {
    return asWorkloadError('ipam', () =>
      request.workload.requestedAddresses.length > 0
        ? this.#assignRequested(request.handle, request.workload)
        : this.#assignAutomatically(request.handle, request.workload),
    );
  }

  releaseWorkload(request: {
    readonly handle: string;
    readonly endpoint: EndpointId | undefined;
    readonly isInDoubt: boolean;
  }): Promise<bigint | undefined> {
    const { handle, endpoint, isInDoubt } = request;
    return asWorkloadError('ipam', async () => {
      const { ownerRevision } = await this.#client.releaseByHandle(
        {
          handleId: handle,
          ...(endpoint === undefined ? {} : { owner: endpoint }),
          fence: isInDoubt,
        },
        { timeoutMs: this.#patience.removeMs },
      );
      return ownerRevision;
    });
  }

  assignTunnel(kind: TunnelKind): Promise<string> {
    return asWorkloadError('ipam', async () => {
      const request = { node: this.#node, tunnel: TUNNELS[kind] };
      const options = { timeoutMs: this.#patience.writeMs };
      return (await this.#own.assignTunnelAddress(request, options)).address;
    });
  }

  async releaseTunnel(kind: TunnelKind): Promise<void> {
    const request = { node: this.#node, tunnel: TUNNELS[kind] };
    const options = { timeoutMs: this.#patience.removeMs };
    await asWorkloadError('ipam', () => this.#own.releaseTunnelAddress(request, options));
  }

  async probe(): Promise<void> {
    await asWorkloadError('ipam', () =>
      this.#client
        .ipsByHandle({ handleId: `probe.${this.#node}` }, { timeoutMs: this.#patience.probeMs })
        .catch((cause: unknown) => {
          if (!hasCode(cause, 'NOT_FOUND')) throw cause;
        }),
    );
  }

  async #assignAutomatically(handle: string, workload: Workload): Promise<AssignedAddress[]> {
    const { addresses, shortfall } = await this.#client.autoAssign(
      {
        node: this.#node,
        handleId: handle,
        ipv4Count: workload.ipv4 ? 1 : 0,
        ipv6Count: workload.ipv6 ? 1 : 0,
        attributes: this.#attributes(workload),
        ipv4Pools: [...workload.ipv4Pools],
        ipv6Pools: [...workload.ipv6Pools],
        intendedUse: IntendedUse.WORKLOAD,
        namespace: workload.namespace,
        owner: ownerOf(workload, this.#node),
      },
      { timeoutMs: this.#patience.writeMs },
    );
    const wanted = (workload.ipv4 ? 1 : 0) + (workload.ipv6 ? 1 : 0);
    if (shortfall !== '' || addresses.length < wanted) {
      throw new WorkloadError('exhausted', shortfall || 'Cannot assign an address: none was given');
    }
    return addresses.map(plain);
  }

  async #assignRequested(handle: string, workload: Workload): Promise<AssignedAddress[]> {
    const result: AssignedAddress[] = [];
    for (const address of workload.requestedAddresses) {
      result.push(await this.#assignOne(address, handle, workload));
    }
    return result;
  }

  /** An address that this handle holds already was assigned by an earlier attempt. */
  async #assignOne(address: string, handle: string, workload: Workload): Promise<AssignedAddress> {
    try {
      const answer = await this.#client.assignIp(
        {
          address,
          node: this.#node,
          handleId: handle,
          attributes: this.#attributes(workload),
          intendedUse: IntendedUse.WORKLOAD,
          owner: ownerOf(workload, this.#node),
        },
        { timeoutMs: this.#patience.writeMs },
      );
      return answer.address === undefined
        ? { address, block: '', pool: '' }
        : plain(answer.address);
    } catch (cause) {
      if (!hasCode(cause, 'ALREADY_EXISTS')) throw cause;
      const held = await this.#client.ipsByHandle(
        { handleId: handle },
        { timeoutMs: this.#patience.writeMs },
      );
      const own = held.addresses.map(plain).find((assigned) => assigned.address === address);
      if (own === undefined) throw cause;
      return own;
    }
  }

  #attributes(workload: Workload): Record<string, string> {
    return attributesOf(workload, this.#node, this.#now());
  }
}

/** What is stored with the address of a workload. `now`: milliseconds since the Unix epoch. */
export function attributesOf(
  { pod, namespace }: Workload,
  node: string,
  now: number,
): Record<string, string> {
  const timestamp = new Date(now).toISOString();
  return { ...(pod === '' ? {} : { pod }), namespace, node, timestamp };
}

/** The endpoint that the workload is going to have. */
export function ownerOf(workload: Workload, node: string) {
  const { namespace, containerId } = workload;
  return { namespace, name: endpointNameOf(node, workload), containerId };
}

function plain(assigned: AssignedAddress): AssignedAddress {
  const { address, block, pool } = assigned;
  return { address: formatAddress(parseAddress(address.split('/')[0] ?? address)), block, pool };
}
