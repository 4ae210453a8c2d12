// The network configuration on standard input: CNI specification, section 1, and Calico's own fields.
import { CniError, ErrorCode } from './cni_error.ts';
import { FieldReader } from './field_reader.ts';
import { familyOfCidr, isDnsSubdomain, isLabelKey, isLabelValue } from './names.ts';
import { type CniVersion, requireVersion } from './version.ts';

export const DEFAULT_RUN_DIR = '/var/run/calico';
const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'none'] as const;
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export type NamedPort = { readonly name: string; readonly protocol: string; readonly port: number };

export type NetworkConfig = {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly assignIpv4: boolean;
  readonly assignIpv6: boolean;
  readonly ipv4Pools: readonly string[];
  readonly ipv6Pools: readonly string[];
  /** 0: felix chooses by the mode of the pool. */
  readonly mtu: number;
  /** Empty: not checked. */
  readonly nodename: string;
  /** Path of the file with the node's name; empty: not checked. */
  readonly nodenameFile: string;
  /** False: without that file nothing is added. */
  readonly nodenameFileOptional: boolean;
  readonly logLevel: LogLevel;
  /** Empty: no log. */
  readonly logFilePath: string;
  /** Felix listens on felix.sock in it. */
  readonly runDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly NamedPort[];
  readonly serviceAccount: string;
  /** Explicit addresses; empty: automatic. */
  readonly addresses: readonly string[];
  /** As it was given; undefined when it was not. */
  readonly prevResult: unknown;
  /** GC: undefined when not given. */
  readonly validAttachments: readonly ValidAttachment[] | undefined;
};

export type ValidAttachment = { readonly containerId: string; readonly interfaceName: string };

/** Bytes of standard input → an object. Throws CniError: undecodable content. */
export function decodeNetconf(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const state = text.trim() === '' ? 'standard input is empty' : 'it is not JSON';
    throw new CniError(
      ErrorCode.UndecodableContent,
      `Cannot decode the network configuration: ${state}`,
      cause instanceof Error ? cause.message : '',
      { cause },
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CniError(
      ErrorCode.UndecodableContent,
      'Cannot decode the network configuration: it is not a JSON object',
    );
  }
  return value as Record<string, unknown>;
}

/** Validates every field. Throws CniError: incompatible version, unsupported field, or invalid configuration. */
export function readNetconf(value: Readonly<Record<string, unknown>>): NetworkConfig {
  const cniVersion = requireVersion(value['cniVersion']);
  const config = new FieldReader(value, '', []);
  const ipam = config.object('ipam');
  const args = config.object('args').object('cni');
  const runtime = config.object('runtimeConfig');
  refuseUnsupported('ipam.type', ipam.value['type'], 'calico-ipam');
  refuseUnsupported('runtimeConfig.mac', runtime.value['mac'], undefined);
  const name = config.text('name', (text) => NETWORK_NAME.test(text), {
    accepted: 'letters, digits, "_", "." and "-" with a letter or digit first',
    required: true,
  });
  config.text('type', isGiven, { accepted: 'the name of the plugin' });
  const assignIpv4 = ipam.flag('assign_ipv4', true);
  const assignIpv6 = ipam.flag('assign_ipv6', false);
  if (!assignIpv4 && !assignIpv6) {
    config.problem('ipam', 'assign_ipv4 and assign_ipv6 are both false; at least one is needed');
  }
  const result: NetworkConfig = {
    cniVersion,
    name,
    assignIpv4,
    assignIpv6,
    ipv4Pools: ipam.texts('ipv4_pools', isPoolOf(4), 'IPv4 CIDRs or names of IP pools'),
    ipv6Pools: ipam.texts('ipv6_pools', isPoolOf(6), 'IPv6 CIDRs or names of IP pools'),
    mtu: config.integer('mtu', (mtu) => mtu === 0 || (mtu >= 68 && mtu <= 65_535), {
      accepted: '0 (automatic) or 68 to 65535',
    }),
    nodename: config.text('nodename', isDnsSubdomain, { accepted: 'the name of a node' }),
    nodenameFile: config.text('nodename_file', isAbsolute, { accepted: 'an absolute path' }),
    nodenameFileOptional: config.flag('nodename_file_optional', false),
    logLevel: config.choice('log_level', LOG_LEVELS, 'info'),
    logFilePath: config.text('log_file_path', isAbsolute, { accepted: 'an absolute path' }),
    runDir: config.text('runDir', isAbsolute, {
      accepted: 'an absolute path',
      absent: DEFAULT_RUN_DIR,
    }),
    labels: { ...readLabels(args), ...readLabels(runtime) },
    ports: readPorts(args),
    serviceAccount: args.text('serviceAccountName', isDnsSubdomain, { accepted: 'a DNS name' }),
    addresses: [...readAddresses(args), ...readAddresses(runtime)],
    prevResult: config.object('prevResult').isPresent ? value['prevResult'] : undefined,
    validAttachments: readAttachments(config),
  };
  config.throwProblems(name);
  return result;
}

function refuseUnsupported(field: string, value: unknown, accepted: string | undefined): void {
  if (value === undefined || value === accepted) return;
  const hint = accepted === undefined ? 'it must be absent' : `"${accepted}" is accepted`;
  throw new CniError(
    ErrorCode.UnsupportedField,
    `Cannot use ${field} ${JSON.stringify(value)}: it is not supported; ${hint}`,
  );
}

function isAbsolute(text: string): boolean {
  return text.startsWith('/') && !text.includes('\0');
}

function isPoolOf(family: 4 | 6): (text: string) => boolean {
  return (text) => {
    if (text.includes('/') || text.includes(':')) return familyOfCidr(text) === family;
    return isDnsSubdomain(text);
  };
}

// Capability "labels" is a list of { key, value }; an object is accepted as well.
function readLabels(reader: FieldReader): Record<string, string> {
  const labels: Record<string, string> = {};
  const given = reader.value['labels'];
  const pairs = Array.isArray(given)
    ? reader.objects('labels').map((label) => [label.value['key'], label.value['value']])
    : Object.entries(reader.object('labels').value);
  for (const [key, value] of pairs) {
    if (typeof key !== 'string' || !isLabelKey(key)) {
      reader.problem('labels', `key ${JSON.stringify(key)} is not a label name`);
    } else if (typeof value !== 'string' || !isLabelValue(value)) {
      const shown = JSON.stringify(value);
      reader.problem('labels', `value ${shown} of "${key}" is not a label value`);
    } else {
      Object.defineProperty(labels, key, { value, enumerable: true, configurable: true });
    }
  }
  return labels;
}

function readPorts(reader: FieldReader): NamedPort[] {
  return reader.objects('ports').map((port) => ({
    name: port.text('name', isDnsSubdomain, { accepted: 'a DNS name', required: true }),
    protocol: port.choice('protocol', PROTOCOLS, 'TCP'),
    port: port.integer('port', (number) => number >= 1 && number <= 65_535, {
      accepted: '1 to 65535',
      required: true,
    }),
  }));
}

function readAddresses(reader: FieldReader): string[] {
  return reader
    .texts('ips', isHostAddress, 'addresses, alone or with /32 or /128')
    .map((text) => text.split('/')[0] ?? text);
}

export function isHostAddress(text: string): boolean {
  const family = familyOfCidr(text);
  const length = text.split('/')[1];
  return family !== undefined && (length === undefined || length === (family === 4 ? '32' : '128'));
}

function isGiven(text: string): boolean {
  return text !== '';
}

function readAttachments(config: FieldReader): ValidAttachment[] | undefined {
  const key = ['cni.dev/valid-attachments', 'cni.dev/attachments'].find(
    (name) => config.value[name] !== undefined,
  );
  if (key === undefined) return undefined;
  return config.objects(key).map((attachment) => ({
    containerId: attachment.text('containerID', isGiven, { accepted: 'an id', required: true }),
    interfaceName: attachment.text('ifname', isGiven, { accepted: 'a name', required: true }),
  }));
}
