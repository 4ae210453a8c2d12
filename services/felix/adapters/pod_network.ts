// Pods' pairs of interfaces. The peer is created inside the pod's namespace under its final name:
// moving it there afterwards would cost 16 ms.
import { formatAddress, hostPrefix, parseAddress, parsePrefix } from '@calico/ip';
import {
  closeNetnsFd,
  type Link,
  type Netlink,
  NetlinkError,
  openNetlinkIn,
  openNetnsFd,
  type Request,
  withNetns,
} from '@calico/netlink';
import { gatewaysOf, type PodFindings, type PodInterface } from '../core/pod_interface.ts';
import { podRoute } from '../core/pod_routes.ts';
import { HOST_MAC } from '../core/workload.ts';
import { hostNetwork } from '../core/workload_endpoint.ts';
import { WorkloadError } from '../core/workload_error.ts';
import type { PodNetwork } from '../ports.ts';
import { kernelRoute, podDeviceRequests } from './kernel.ts';
import { ensureSysctl, readSysctl } from './sysctl.ts';

const MAIN_TABLE = 254;
const RTPROT_BOOT = 3;

type PairNames = Pick<PodInterface, 'netns' | 'interfaceName' | 'hostInterface'>;

export class NetlinkPodNetwork implements PodNetwork {
  readonly #netlink: Netlink;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  check(pod: PodInterface): void {
    this.#inPod(pod.netns, (inside) => this.#refuseTaken(pod, inside));
  }

  createPair(pod: PodInterface): void {
    const host = this.#netlink.linkByName(pod.hostInterface);
    if (host !== undefined) {
      if (this.isPair(pod)) return;
      this.deleteDevice(pod.hostInterface);
    }
    this.#inPod(pod.netns, (inside) => this.#refuseTaken(pod, inside));
    const netnsFd = openNetns(pod.netns);
    try {
      const { interfaceName: name, containerMac: mac, mtu } = pod;
      this.#carryOut(`create interface "${pod.hostInterface}"`, this.#netlink, [
        {
          kind: 'link-add',
          link: {
            kind: 'veth',
            name: pod.hostInterface,
            mac: pod.hostMac,
            mtu,
            up: true,
            peer: { name, mtu, mac, netnsFd },
          },
        },
      ]);
    } finally {
      closeNetnsFd(netnsFd);
    }
  }

  configurePod(pod: PodInterface): void {
    const hasIpv6 = pod.addresses.some((address) => address.includes(':'));
    // Nobody else can have the address: without this it could not be used for a second.
    if (hasIpv6) {
      withNetns(pod.netns, () => ensureSysctl(`ipv6/conf/${pod.interfaceName}/accept_dad`, '0'));
    }
    this.#inPod(pod.netns, (inside) => {
      const link = inside.linkByName(pod.interfaceName);
      if (link === undefined) {
        throw new WorkloadError(
          'precondition',
          `Cannot configure interface "${pod.interfaceName}" in "${pod.netns}": it does not exist`,
        );
      }
      const what = `configure interface "${pod.interfaceName}" in "${pod.netns}"`;
      this.#carryOut(what, inside, podRequests(pod, link, inside.linkByName('lo')));
    });
  }

  configureHost(pod: PodInterface): void {
    const link = this.#netlink.linkByName(pod.hostInterface);
    if (link === undefined) {
      throw new WorkloadError(
        'precondition',
        `Cannot configure host interface "${pod.hostInterface}": it does not exist`,
      );
    }
    if (pod.addresses.some((address) => address.includes(':'))) {
      ensureSysctl('ipv6/conf/all/forwarding', '1');
      ensureSysctl(`ipv6/conf/${pod.hostInterface}/forwarding`, '1');
    }
    const routes = pod.addresses.map(
      (address): Request => ({
        kind: 'route',
        action: 'replace',
        route: kernelRoute(podRoute(hostNetwork(address), pod.hostInterface), link.index),
      }),
    );
    const requests = [...linkFixes(link, pod.mtu, pod.hostMac), ...podDeviceRequests(link.index)];
    this.#carryOut(`configure host interface "${pod.hostInterface}"`, this.#netlink, [
      ...requests,
      ...routes,
    ]);
  }

  inspect(pod: PodInterface): PodFindings {
    const host = this.#inspectHost(pod);
    try {
      const container = this.#inPod(pod.netns, (inside) =>
        inspectContainer(pod, inside, this.#netlink.linkByName(pod.hostInterface)),
      );
      return { netnsExists: true, host, container };
    } catch (cause) {
      if (!(cause instanceof WorkloadError)) throw cause;
      return { netnsExists: false, host, container: undefined };
    }
  }

  netnsExists(netns: string): boolean {
    try {
      this.#inPod(netns, () => {});
      return true;
    } catch {
      return false;
    }
  }

  isPair({ netns, interfaceName, hostInterface }: PairNames): boolean {
    const host = this.#netlink.linkByName(hostInterface);
    if (host === undefined) return false;
    try {
      return this.#inPod(netns, (inside) => arePeers(host, inside.linkByName(interfaceName)));
    } catch {
      return false;
    }
  }

  deviceExists(hostInterface: string): boolean {
    return this.#netlink.linkByName(hostInterface) !== undefined;
  }

  deleteDevice(hostInterface: string): void {
    const link = this.#netlink.linkByName(hostInterface);
    if (link?.kind !== 'veth') return;
    const failure = this.#netlink.execute([{ kind: 'link-delete', index: link.index }])[0];
    if (failure === undefined || failure.code === 'ENODEV') return;
    throw new WorkloadError(
      'unavailable',
      `Cannot delete interface "${hostInterface}": ${failure.code} ${failure.message}`,
    );
  }

  #refuseTaken(pod: PodInterface, inside: Netlink): void {
    const found = inside.linkByName(pod.interfaceName);
    if (found === undefined) return;
    const host = this.#netlink.linkByName(pod.hostInterface);
    if (host !== undefined && arePeers(host, found)) return;
    throw new WorkloadError(
      'precondition',
      `Cannot create interface "${pod.interfaceName}" in "${pod.netns}": the name is taken there`,
    );
  }

  #inspectHost(pod: PodInterface): PodFindings['host'] {
    const { hostInterface } = pod;
    const link = this.#netlink.linkByName(hostInterface);
    if (link === undefined) return undefined;
    const conf = (name: string) => readSysctl(`ipv4/conf/${hostInterface}/${name}`) === '1';
    const families = pod.addresses.some((address) => address.includes(':')) ? [4, 6] : [4];
    const routes = families.flatMap((family) =>
      this.#netlink.routes({
        family: family === 4 ? 4 : 6,
        table: MAIN_TABLE,
        interfaceIndex: link.index,
      }),
    );
    return {
      up: link.up,
      mtu: link.mtu,
      mac: link.mac,
      settings: {
        up: link.up,
        proxyArp: conf('proxy_arp'),
        forwarding: conf('forwarding'),
        reversePathFilter: conf('rp_filter'),
      },
      routes: routes.map(
        ({ destination }) =>
          `${formatAddress({ family: destination.family, value: destination.value })}/${destination.length}`,
      ),
    };
  }

  #inPod<T>(netns: string, work: (inside: Netlink) => T): T {
    let inside: Netlink;
    try {
      inside = openNetlinkIn(netns);
    } catch (cause) {
      throw netnsError(netns, cause);
    }
    try {
      return work(inside);
    } finally {
      inside.close();
    }
  }

  #carryOut(what: string, netlink: Netlink, requests: readonly Request[]): void {
    const failure = netlink.execute(requests)[0];
    if (failure === undefined) return;
    const at = requests[failure.index]?.kind ?? '';
    throw new WorkloadError(
      'precondition',
      `Cannot ${what}: ${at}: ${failure.code} ${failure.message}`.trim(),
    );
  }
}

function openNetns(netns: string): number {
  try {
    return openNetnsFd(netns);
  } catch (cause) {
    throw netnsError(netns, cause);
  }
}

function netnsError(netns: string, cause: unknown): WorkloadError {
  if (!(cause instanceof NetlinkError)) throw cause;
  const state =
    cause.code === 'ENOENT'
      ? 'it does not exist'
      : cause.code === 'EINVAL'
        ? 'it is not a network namespace'
        : cause.message;
  return new WorkloadError('precondition', `Cannot enter network namespace "${netns}": ${state}`, {
    cause,
  });
}

/** Both ends of a veth pair know the other's index. */
function arePeers(host: Link, inside: Link | undefined): boolean {
  return (
    inside?.kind === 'veth' && inside.linkIndex === host.index && host.linkIndex === inside.index
  );
}

function linkFixes(link: Link, mtu: number, mac: string): Request[] {
  const changes = { ...(link.mtu === mtu ? {} : { mtu }), ...(link.mac === mac ? {} : { mac }) };
  if (Object.keys(changes).length === 0) return [];
  return [{ kind: 'link-set', index: link.index, changes }];
}

function podRequests(pod: PodInterface, link: Link, loopback: Link | undefined): Request[] {
  const { index } = link;
  const requests: Request[] = linkFixes(link, pod.mtu, pod.containerMac);
  if (loopback !== undefined && !loopback.up) {
    requests.push({ kind: 'link-set', index: loopback.index, changes: { up: true } });
  }
  requests.push({ kind: 'link-set', index, changes: { up: true } });
  for (const text of pod.addresses) {
    const address = parseAddress(text);
    requests.push({
      kind: 'address',
      action: 'replace',
      address: {
        interfaceIndex: index,
        address,
        prefixLength: hostPrefix(address).length,
        scope: 'global',
      },
    });
  }
  for (const text of gatewaysOf(pod.addresses)) {
    const gateway = parseAddress(text);
    const common = { type: 'unicast', table: MAIN_TABLE, protocol: RTPROT_BOOT } as const;
    if (gateway.family === 4) {
      const onLink = { ...common, destination: hostPrefix(gateway), scope: 'link' } as const;
      const route = { ...onLink, nextHops: [{ interfaceIndex: index }] };
      requests.push({ kind: 'route', action: 'replace', route });
    }
    const destination = parsePrefix(gateway.family === 4 ? '0.0.0.0/0' : '::/0');
    const nextHops = [{ gateway, interfaceIndex: index }];
    requests.push(
      {
        kind: 'route',
        action: 'replace',
        route: { ...common, destination, scope: 'global', nextHops },
      },
      {
        kind: 'neighbour',
        action: 'replace',
        neighbour: { interfaceIndex: index, address: gateway, mac: HOST_MAC, permanent: true },
      },
    );
  }
  return requests;
}

function inspectContainer(
  pod: PodInterface,
  inside: Netlink,
  host: Link | undefined,
): PodFindings['container'] {
  const link = inside.linkByName(pod.interfaceName);
  if (link === undefined) return undefined;
  const { index: interfaceIndex, up, mtu, mac } = link;
  const addresses = inside
    .addresses({ interfaceIndex })
    .map(({ address, prefixLength }) => `${formatAddress(address)}/${prefixLength}`);
  const gateways = gatewaysOf(pod.addresses).filter((text) => {
    const gateway = parseAddress(text);
    const { family } = gateway;
    const routes = inside.routes({ family, table: MAIN_TABLE, interfaceIndex });
    const isOnLink =
      family === 6 || routes.some(({ destination }) => destination.value === gateway.value);
    const isDefault = routes.some(
      ({ destination, nextHops }) =>
        destination.length === 0 && nextHops[0]?.gateway?.value === gateway.value,
    );
    return isOnLink && isDefault;
  });
  const neighbours = new Map<string, string>();
  for (const { address, mac: of, permanent } of inside.neighbours({ interfaceIndex })) {
    if (permanent) neighbours.set(formatAddress(address), of);
  }
  const isPeer = host !== undefined && arePeers(host, link);
  return { up, mtu, mac, isPeer, addresses, gateways, neighbours };
}
