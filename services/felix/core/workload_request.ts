// Checks what a container runtime asks for. Every message names the field and what would be accepted.
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { type Workload, type WorkloadKey, type WorkloadPort } from './workload.ts';
import { WorkloadError } from './workload_error.ts';

// CNI specification 1.1, section 2: both names.
// A "-" at the end would make the endpoint's name ambiguous.
const CONTAINER_ID = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,200}[A-Za-z0-9_.])?$/;
const NETWORK_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/;
// dev_valid_name() in net/core/dev.c, without what a path or a shell would trip over.
const INTERFACE_NAME = /^[A-Za-z0-9_.@]([A-Za-z0-9_.@-]{0,13}[A-Za-z0-9_.@])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
const LABEL_KEY =
  /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
/** The smallest MTU that IPv4 allows (RFC 791), and the kernel's largest. */
const MIN_MTU = 68;
const MAX_MTU = 65_535;

/** The same fields as calico.felix.v1.AddWorkloadRequest. */
export type AddInput = {
  readonly containerId: string;
  readonly netns: string;
  readonly interfaceName: string;
  readonly network: string;
  readonly namespace: string;
  readonly pod: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipv4Pools: readonly string[];
  readonly ipv6Pools: readonly string[];
  readonly requestedAddresses: readonly string[];
  readonly mtu: number;
  readonly ports: readonly WorkloadPort[];
  readonly assignIpv6: boolean;
  readonly skipIpv4: boolean;
  readonly serviceAccount: string;
};

export function checkAdd(input: AddInput): Workload {
  const key = checkKey(input);
  checkNetns(input.netns);
  checkNetwork(input.network);
  const namespace = input.namespace === '' ? 'default' : input.namespace;
  check('namespace', namespace, DNS_SUBDOMAIN, 'a DNS name in lower case');
  if (input.pod !== '') check('pod', input.pod, DNS_SUBDOMAIN, 'a DNS name in lower case');
  if (input.serviceAccount !== '') {
    check('service_account', input.serviceAccount, DNS_SUBDOMAIN, 'a DNS name in lower case');
  }
  checkLabels(input.labels);
  const requestedAddresses = input.requestedAddresses.map(checkAddress);
  if (input.mtu !== 0 && (input.mtu < MIN_MTU || input.mtu > MAX_MTU)) {
    refuse('mtu', String(input.mtu), `0 or ${MIN_MTU} to ${MAX_MTU}`);
  }
  const requested = new Set(requestedAddresses.map((text) => parseAddress(text).family));
  const ipv4 = requestedAddresses.length > 0 ? requested.has(4) : !input.skipIpv4;
  const ipv6 = requestedAddresses.length > 0 ? requested.has(6) : input.assignIpv6;
  if (!ipv4 && !ipv6) refuse('skip_ipv4', 'true', 'false unless assign_ipv6 is set');
  return {
    ...key,
    netns: input.netns,
    network: input.network,
    namespace,
    pod: input.pod,
    labels: { ...input.labels },
    serviceAccount: input.serviceAccount,
    ports: input.ports.map(checkPort),
    ipv4Pools: input.ipv4Pools.map((pool) => checkPool('ipv4_pools', pool)),
    ipv6Pools: input.ipv6Pools.map((pool) => checkPool('ipv6_pools', pool)),
    requestedAddresses,
    mtu: input.mtu,
    ipv4,
    ipv6,
  };
}

export function checkKey(input: WorkloadKey): WorkloadKey {
  check(
    'container_id',
    input.containerId,
    CONTAINER_ID,
    'letters, digits, "_", "." and "-", first a letter or digit',
  );
  check('interface_name', input.interfaceName, INTERFACE_NAME, 'a device name of 1 to 15 letters');
  if (input.interfaceName === '.' || input.interfaceName === '..') {
    refuse('interface_name', input.interfaceName, 'a device name');
  }
  return { containerId: input.containerId, interfaceName: input.interfaceName };
}

function checkNetns(netns: string): void {
  if (!netns.startsWith('/') || netns.includes('\0')) {
    refuse('netns', netns, 'the absolute path of a network namespace');
  }
}

export function checkNetwork(network: string): void {
  check('network', network, NETWORK_NAME, 'the name of a CNI network');
}

/** A name that a request may leave out. */
export function checkOptionalName(field: string, value: string): void {
  if (value !== '') check(field, value, DNS_SUBDOMAIN, 'a DNS name in lower case, or nothing');
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(labels)) {
    check('labels', key, LABEL_KEY, 'label names like "app" or "example.com/app"');
    check(`labels["${key}"]`, value, LABEL_VALUE, 'at most 63 letters, digits, "_", "." and "-"');
  }
}

function checkAddress(text: string): string {
  try {
    return formatAddress(parseAddress(text));
  } catch (cause) {
    throw new WorkloadError(
      'invalid',
      `Cannot read requested_addresses "${text}": an IPv4 or IPv6 address without length is accepted`,
      { cause },
    );
  }
}

function checkPool(field: string, pool: string): string {
  if (DNS_SUBDOMAIN.test(pool)) return pool;
  try {
    parsePrefix(pool);
    return pool;
  } catch (cause) {
    throw new WorkloadError(
      'invalid',
      `Cannot read ${field} "${pool}": a pool's name or CIDR is accepted`,
      { cause },
    );
  }
}

function checkPort(port: WorkloadPort): WorkloadPort {
  const protocol = port.protocol === '' ? 'TCP' : port.protocol.toUpperCase();
  if (!PROTOCOLS.includes(protocol)) refuse('ports.protocol', port.protocol, PROTOCOLS.join(', '));
  if (port.port < 1 || port.port > 65_535) refuse('ports.port', String(port.port), '1 to 65535');
  return { name: port.name, protocol, port: port.port };
}

function check(field: string, value: string, pattern: RegExp, accepted: string): void {
  if (!pattern.test(value)) refuse(field, value, accepted);
}

function refuse(field: string, value: string, accepted: string): never {
  const shown = value.length > 64 ? `${value.slice(0, 64)}…` : value;
  throw new WorkloadError('invalid', `Cannot accept ${field} "${shown}": use ${accepted}`);
}
