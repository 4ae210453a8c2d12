// Settings of the node's start-up, by environment variable; upstream's names.
import { type Family, IpError, parseAddress, parseInterfaceAddress, parsePrefix } from '@calico/ip';
import { type Config, commonSettings, flag, list, setting } from '@calico/process';
import { parseSelector, SelectorError } from '@calico/selector';
import { z } from 'zod';
import {
  DetectionMethodError,
  parseDetectionMethod,
} from '../core/node_address/detection_method.ts';

const MODES = ['Always', 'CrossSubnet', 'Never'] as const;

/** Text that `parse` takes; its own errors become a problem of the setting. */
function checked(parse: (text: string) => unknown, expected: new (...args: never) => Error) {
  return z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof expected)) throw error;
      context.addIssue({ code: 'custom', message: error.message, input: text });
    }
  });
}

const method = checked(parseDetectionMethod, DetectionMethodError);

/** How an address of the node is found: looked for, not wanted, or given. */
export type AddressSource =
  | { readonly kind: 'autodetect' }
  | { readonly kind: 'none' }
  | { readonly kind: 'given'; readonly text: string };

/** Throws IpError. */
export function parseAddressSource(text: string, family: Family): AddressSource {
  if (text === 'autodetect' || text === 'none') return { kind: text };
  const { address } = text.includes('/')
    ? parseInterfaceAddress(text)
    : { address: parseAddress(text) };
  if (address.family === family) return { kind: 'given', text };
  throw new IpError(`expected an IPv${family} address, "autodetect" or "none"`);
}

function addressSource(family: Family) {
  return checked((text) => parseAddressSource(text, family), IpError);
}

const mode = z
  .string()
  .transform((text) => MODES.find((each) => each.toLowerCase() === text.toLowerCase()))
  .refine((each) => each !== undefined, `expected one of ${MODES.join(', ')}`);

const poolCidr = checked((text) => {
  const prefix = parsePrefix(text);
  if (prefix.family !== 4) throw new IpError('expected an IPv4 CIDR, for example 10.244.0.0/16');
}, IpError);

const selector = checked(parseSelector, SelectorError);

function wholeNumber(least: number, most: number) {
  const message = `expected a number from ${least} to ${most}`;
  return z
    .string()
    .refine(
      (text) => /^[0-9]+$/.test(text) && Number(text) >= least && Number(text) <= most,
      message,
    )
    .transform(Number);
}

/** 64512, or in two parts (RFC 5396): 1.64512. */
const autonomousSystem = z
  .string()
  .transform((text) => {
    const parts = /^([0-9]{1,10})(?:\.([0-9]{1,5}))?$/.exec(text)?.slice(1).map(Number) ?? [];
    const [first = Number.NaN, second = Number.NaN] = parts;
    return Number.isNaN(second) ? first : first * 65_536 + second;
  })
  .refine(
    (asn) => asn <= 4_294_967_295,
    'expected an AS number: 0 to 4294967295, or as in "1.64512"',
  );

export const settings = {
  nodeName: commonSettings.nodeName,
  apiAddress: commonSettings.apiAddress,
  ip: setting(
    'IP',
    addressSource(4).optional(),
    "The node's IPv4 address, with or without length, or autodetect; unset: the stored one, else autodetect",
  ),
  ip6: setting(
    'IP6',
    addressSource(6).default('none'),
    "The node's IPv6 address, autodetect or none",
  ),
  method: setting(
    'IP_AUTODETECTION_METHOD',
    method.default('first-found'),
    'first-found, interface=REGEX, skip-interface=REGEX, can-reach=DEST, cidr=LIST or kubernetes-internal-ip',
  ),
  method6: setting('IP6_AUTODETECTION_METHOD', method.default('first-found'), 'The same for IPv6'),
  kubernetesInternalIp: setting(
    'KUBERNETES_INTERNAL_IP',
    checked(parseAddress, IpError).optional(),
    "The Kubernetes node's InternalIP (status.hostIP); unset: that in the stored Node",
  ),
  asNumber: setting(
    'AS',
    autonomousSystem.optional(),
    "The node's AS number; unset: the stored one, else the cluster's",
  ),
  noDefaultPools: setting(
    'NO_DEFAULT_POOLS',
    flag.default(false),
    'Create no IP pool when there is none',
  ),
  poolCidr: setting(
    'CALICO_IPV4POOL_CIDR',
    poolCidr.optional(),
    'CIDR of the default pool; unset: 192.168.0.0/16, or one of 172.16.0.0/12 that the host is not in',
  ),
  poolIpip: setting(
    'CALICO_IPV4POOL_IPIP',
    mode.optional(),
    'IPIP mode of the default pool: Always, CrossSubnet or Never; unset: Always, unless VXLAN is on',
  ),
  poolVxlan: setting(
    'CALICO_IPV4POOL_VXLAN',
    mode.default('Never'),
    'VXLAN mode of the default pool: Always, CrossSubnet or Never',
  ),
  poolBlockSize: setting(
    'CALICO_IPV4POOL_BLOCK_SIZE',
    wholeNumber(20, 32).default(26),
    'Prefix length of the blocks of the default pool',
  ),
  poolNatOutgoing: setting(
    'CALICO_IPV4POOL_NAT_OUTGOING',
    flag.default(true),
    'Whether pods of the default pool reach the outside by NAT',
  ),
  poolNodeSelector: setting(
    'CALICO_IPV4POOL_NODE_SELECTOR',
    selector.default('all()'),
    'Nodes that use the default pool',
  ),
  clusterType: setting(
    'CLUSTER_TYPE',
    list.default([]),
    'Words added to the type of the cluster, comma-separated, for example k8s,bgp',
  ),
  kubernetesNode: setting(
    'CALICO_K8S_NODE_REF',
    z.string().optional(),
    'Name of the Kubernetes node that this is',
  ),
};

export type StartupConfig = Config<typeof settings>;
