// What happens once before felix and bgp run on a node:
//
//   interfaces → address of the node → Node ─┐
//   settings  → default pool, if there is none ├→ api
//   ClusterInformation ───────────────────────┘
import { isDeepStrictEqual } from 'node:util';
import { type Address, type Family, parseAddress } from '@calico/ip';
import type { Node } from '@calico/model';
import type { Logger } from '@calico/telemetry';
import { defaultIpv4PoolCidr } from '../core/node_address/default_pool.ts';
import type { NodeInterface } from '../core/node_address/detect_address.ts';
import {
  type DetectionMethod,
  parseDetectionMethod,
} from '../core/node_address/detection_method.ts';
import type { ClusterStore } from './cluster_store.ts';
import {
  clusterInformation,
  DEFAULT_POOL,
  defaultPool,
  nodeDocument,
  nodeWithAddress,
} from './documents.ts';
import { AddressError, chooseAddress, type NodeAddress } from './node_address.ts';
import { hasRpcCode, type Patience, untilReachable, untilWritten } from './patience.ts';
import { type AddressSource, parseAddressSource, type StartupConfig } from './settings.ts';

export type Machine = {
  readonly interfaces: readonly NodeInterface[];
  routeSource(method: DetectionMethod, family: Family): Promise<() => Address | undefined>;
};

export type Startup = {
  readonly config: StartupConfig;
  readonly machine: Machine;
  readonly store: ClusterStore;
  readonly patience: Patience;
  readonly version: string;
  /** 32 hexadecimal digits, for a cluster that has no GUID yet. */
  readonly newGuid: () => string;
};

/** Rejects with AddressError when the node's address is not clear, and with RpcError when the api refuses. */
export async function startUp(startup: Startup): Promise<void> {
  const { config, store, patience } = startup;
  const { logger } = patience;
  const { nodeName } = config;
  const ip = config.ip === undefined ? undefined : parseAddressSource(config.ip, 4);
  // What cannot be decided without the api is decided first: a mistake should show at once.
  const early = ip && !needsStored(ip, config) ? await addressOf(startup, 4, ip) : undefined;
  await untilReachable('cluster information', () => writeClusterInformation(startup), patience);
  const stored = await untilReachable('node', () => store.get('Node', nodeName), patience);
  const ipv4 = early ?? (await storedOrDetected(startup, ip, stored));
  const ipv6 = await addressOf(startup, 6, parseAddressSource(config.ip6, 6), stored);
  if (ipv4 === undefined && ipv6 === undefined) {
    throw new AddressError('Cannot start a node without address: IP and IP6 are both "none"');
  }
  await untilReachable('node', () => writeNode(startup, ipv4, ipv6), patience);
  if (!config.noDefaultPools && ipv4 !== undefined) {
    await untilReachable('default pool', () => createDefaultPool(startup), patience);
  }
  logger.info('the node is ready to start', {
    node: nodeName,
    ...(ipv4 && { ipv4: ipv4.cidr, interface: ipv4.interface }),
    ...(ipv6 && { ipv6: ipv6.cidr }),
  });
}

function needsStored(source: AddressSource, config: StartupConfig): boolean {
  const isInternal = parseDetectionMethod(config.method).kind === 'kubernetes-internal-ip';
  return isInternal && source.kind === 'autodetect' && config.kubernetesInternalIp === undefined;
}

// An address that the operator wrote into the Node stays, unless IP says otherwise.
async function storedOrDetected(
  startup: Startup,
  ip: AddressSource | undefined,
  stored: Node | undefined,
): Promise<NodeAddress | undefined> {
  const address = stored?.spec.bgp?.ipv4Address;
  if (ip === undefined && address !== undefined) {
    return addressOf(startup, 4, { kind: 'given', text: address });
  }
  return addressOf(startup, 4, ip ?? { kind: 'autodetect' }, stored);
}

async function addressOf(
  { config, machine, patience }: Startup,
  family: Family,
  source: AddressSource,
  stored?: Node,
): Promise<NodeAddress | undefined> {
  const method = parseDetectionMethod(family === 4 ? config.method : config.method6);
  const address = chooseAddress({
    family,
    source,
    method,
    interfaces: machine.interfaces,
    routeSource:
      source.kind === 'autodetect' ? await machine.routeSource(method, family) : () => undefined,
    internalAddress: internalAddressOf(config, stored, family),
  });
  if (address?.interface === '') warnOfStranger(patience.logger, address.cidr);
  return address;
}

function warnOfStranger(logger: Logger, address: string): void {
  logger.warn('the address of the node is on none of its interfaces', { address });
}

function internalAddressOf(
  { kubernetesInternalIp }: StartupConfig,
  stored: Node | undefined,
  family: Family,
): Address | undefined {
  const known = (stored?.spec.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  const texts = [kubernetesInternalIp, ...known.map(({ address }) => address)];
  return texts
    .flatMap((text) => (text === undefined ? [] : [parseAddress(text.split('/')[0] ?? text)]))
    .find((address) => address.family === family);
}

async function writeClusterInformation(startup: Startup): Promise<void> {
  const { store, config, version, newGuid } = startup;
  await untilWritten(async () => {
    const stored = await store.get('ClusterInformation', 'default');
    const wanted = clusterInformation(stored, {
      guid: newGuid(),
      version,
      types: config.clusterType,
    });
    if (stored === undefined) await store.create(wanted);
    else if (!isDeepStrictEqual(stored.spec, wanted.spec)) await store.replace(wanted);
  });
}

async function writeNode(
  { store, config, patience }: Startup,
  ipv4: NodeAddress | undefined,
  ipv6: NodeAddress | undefined,
): Promise<void> {
  const { nodeName, asNumber, kubernetesNode } = config;
  const addresses = [ipv4?.cidr, ipv6?.cidr];
  const taken = nodeWithAddress(await store.list('Node'), nodeName, addresses);
  if (taken) {
    throw new AddressError(
      `Cannot use address "${taken.address}" for node "${nodeName}": node "${taken.node}" has it; set IP or CALICO_NODENAME`,
    );
  }
  await untilWritten(async () => {
    const stored = await store.get('Node', nodeName);
    const wanted = nodeDocument(stored, {
      name: nodeName,
      ipv4: ipv4?.cidr,
      ipv6: ipv6?.cidr,
      asNumber,
      kubernetesNode,
    });
    if (stored !== undefined && isDeepStrictEqual(stored.spec, wanted.spec)) return;
    if (stored === undefined) await store.create(wanted);
    else await store.replace(wanted);
    patience.logger.info(stored === undefined ? 'created the node' : 'updated the node', {
      node: nodeName,
    });
  });
}

async function createDefaultPool({ store, config, machine, patience }: Startup): Promise<void> {
  const pools = await store.list('IPPool');
  if (pools.some(({ spec }) => !spec.cidr.includes(':'))) return;
  const hostAddresses = machine.interfaces.flatMap(({ addresses }) =>
    addresses.map(({ address }) => address),
  );
  const cidr = config.poolCidr ?? defaultIpv4PoolCidr(hostAddresses);
  try {
    await store.create(defaultPool(cidr, config));
    patience.logger.info('created the default pool', { pool: DEFAULT_POOL, cidr });
  } catch (error) {
    // Another node was faster.
    if (!hasRpcCode(error, 'ALREADY_EXISTS')) throw error;
  }
}
