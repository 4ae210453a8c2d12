// One invocation: what the runtime gave → what it gets. Nothing is sent unless all of it is valid.
import { type CniArgs, readCniArgs } from './cni_args.ts';
import { CniError, ErrorCode } from './cni_error.ts';
import {
  type Attachment,
  type Command,
  readAttachment,
  readCommand,
  type Variables,
} from './environment.ts';
import type { Felix } from './felix_contract.ts';
import { decodeNetconf, isHostAddress, type NetworkConfig, readNetconf } from './netconf.ts';
import { readNodenameFile } from './nodename_file.ts';
import { buildResult, expectedOf } from './result.ts';
import { isAtLeast, isSupported, NEWEST_VERSION, SUPPORTED_VERSIONS } from './version.ts';

/** Opens the way to felix: a function, so that nothing is loaded or connected before it is needed. */
export type OpenFelix = (runDir: string) => Promise<Felix>;

export type Invocation = {
  readonly variables: Variables;
  /** Standard input. */
  readonly input: string;
  readonly openFelix: OpenFelix;
};

/** The version to answer in: that of the input when it is one of ours. */
export function answerVersion(input: string): string {
  try {
    const { cniVersion } = JSON.parse(input) as { cniVersion?: unknown };
    return isSupported(cniVersion) ? cniVersion : NEWEST_VERSION;
  } catch {
    return NEWEST_VERSION;
  }
}

/** Answers what goes to standard output. Rejects with CniError. */
export async function invoke({ variables, input, openFelix }: Invocation): Promise<string> {
  const command = readCommand(variables);
  if (command === 'VERSION') return versionJson(input);
  const config = readNetconf(decodeNetconf(input));
  requireCommandInVersion(command, config);
  const prepared = prepare(command, variables, config);
  const felix = await openFelix(config.runDir);
  try {
    return await perform(felix, config, prepared);
  } finally {
    felix.close();
  }
}

type Workload = { readonly attachment: Attachment; readonly args: CniArgs };
type Prepared =
  | ({ readonly command: 'ADD' | 'DEL' } & Workload)
  | ({ readonly command: 'CHECK'; readonly expected: ReturnType<typeof expectedOf> } & Workload)
  | { readonly command: 'STATUS' }
  | {
      readonly command: 'GC';
      readonly validAttachments: Exclude<NetworkConfig['validAttachments'], undefined>;
    };

function prepare(
  command: Exclude<Command, 'VERSION'>,
  variables: Variables,
  config: NetworkConfig,
): Prepared {
  if (command === 'STATUS') return { command };
  if (command === 'GC') return { command, validAttachments: requireAttachments(config) };
  const attachment = readAttachment(command, variables);
  const args = readCniArgs(variables['CNI_ARGS']);
  for (const address of args.addresses) requireAddress(address);
  if (command !== 'CHECK') return { command, attachment, args };
  if (config.prevResult === undefined) {
    throw new CniError(ErrorCode.InvalidConfig, 'Cannot check: prevResult is missing');
  }
  return { command, attachment, args, expected: expectedOf(config.prevResult, attachment) };
}

async function perform(felix: Felix, config: NetworkConfig, prepared: Prepared): Promise<string> {
  switch (prepared.command) {
    case 'ADD':
      return add(felix, config, prepared);
    case 'DEL':
      await felix.call('RemoveWorkload', workload(config, prepared));
      return '';
    case 'CHECK':
      await felix.call('CheckWorkload', {
        ...workload(config, prepared),
        expectedAddresses: prepared.expected.addresses,
        expectedHostInterface: prepared.expected.hostInterface,
      });
      return '';
    case 'STATUS':
      return status(felix, config);
    case 'GC':
      await felix.call('CollectGarbage', {
        network: config.name,
        validAttachments: prepared.validAttachments,
      });
      return '';
    default:
      return prepared satisfies never;
  }
}

function workload(config: NetworkConfig, { attachment, args }: Workload) {
  return { ...attachment, network: config.name, namespace: args.namespace, pod: args.pod };
}

async function add(felix: Felix, config: NetworkConfig, prepared: Workload): Promise<string> {
  await requireNode(felix, config);
  const added = await felix.call('AddWorkload', {
    ...workload(config, prepared),
    labels: config.labels,
    ipv4Pools: config.ipv4Pools,
    ipv6Pools: config.ipv6Pools,
    requestedAddresses: [...new Set([...prepared.args.addresses, ...config.addresses])],
    mtu: config.mtu,
    ports: config.ports,
    assignIpv6: config.assignIpv6,
    skipIpv4: !config.assignIpv4,
    serviceAccount: config.serviceAccount,
  });
  const { cniVersion, prevResult } = config;
  return `${JSON.stringify(buildResult(cniVersion, prepared.attachment, added, prevResult))}\n`;
}

async function status(felix: Felix, config: NetworkConfig): Promise<string> {
  try {
    await requireNode(felix, config);
    const { ready, reasons, limited } = await felix.call('GetReadiness', {});
    if (ready) return '';
    throw new CniError(
      limited ? ErrorCode.LimitedConnectivity : ErrorCode.NotAvailable,
      `Cannot add containers now: ${reasons.length === 0 ? 'felix is not ready' : reasons.join('; ')}`,
    );
  } catch (error) {
    if (!(error instanceof CniError) || isOfStatus(error.code)) throw error;
    throw new CniError(ErrorCode.NotAvailable, error.message, error.details, { cause: error });
  }
}

function isOfStatus(code: ErrorCode): boolean {
  return code === ErrorCode.NotAvailable || code === ErrorCode.LimitedConnectivity;
}

// The socket of another node's felix (a shared or mistaken runDir) would set the container up on that node.
async function requireNode(felix: Felix, config: NetworkConfig): Promise<void> {
  const fromFile = nodeOfFile(config);
  if (config.nodename === '' && fromFile === undefined) return;
  const { node } = await felix.call('GetNodeInfo', {});
  const { nodename, nodenameFile, runDir } = config;
  if (nodename !== '' && node !== nodename) {
    throw new CniError(
      ErrorCode.InvalidConfig,
      `Cannot use nodename "${nodename}": felix in "${runDir}" is that of node "${node}"`,
    );
  }
  if (fromFile !== undefined && node !== fromFile) {
    throw new CniError(
      ErrorCode.InvalidConfig,
      `Cannot use nodename_file "${nodenameFile}": it names node "${fromFile}", felix in "${runDir}" is that of node "${node}"`,
    );
  }
}

function nodeOfFile({ nodenameFile, nodenameFileOptional }: NetworkConfig): string | undefined {
  if (nodenameFile === '') return undefined;
  const name = readNodenameFile(nodenameFile);
  if (name !== undefined || nodenameFileOptional) return name;
  throw new CniError(
    ErrorCode.TryAgainLater,
    `Cannot find nodename_file "${nodenameFile}": felix writes it when it starts; check that it runs with this directory as CALICO_LIB_DIR`,
  );
}

function versionJson(input: string): string {
  const cniVersion = answerVersion(input);
  return `${JSON.stringify({ cniVersion, supportedVersions: SUPPORTED_VERSIONS })}\n`;
}

const SINCE = { ADD: '0.3.0', DEL: '0.3.0', CHECK: '0.4.0', STATUS: '1.1.0', GC: '1.1.0' } as const;

function requireCommandInVersion(
  command: Exclude<Command, 'VERSION'>,
  { cniVersion }: NetworkConfig,
): void {
  const since = SINCE[command];
  if (isAtLeast(cniVersion, since)) return;
  throw new CniError(
    ErrorCode.IncompatibleVersion,
    `Cannot do ${command} with cniVersion "${cniVersion}": it exists since ${since}`,
  );
}

// Without the list everything would count as garbage.
function requireAttachments({ validAttachments }: NetworkConfig) {
  if (validAttachments) return validAttachments;
  throw new CniError(
    ErrorCode.InvalidConfig,
    'Cannot collect garbage: cni.dev/valid-attachments is missing',
  );
}

function requireAddress(address: string): void {
  if (isHostAddress(address) && !address.includes('/')) return;
  throw new CniError(
    ErrorCode.InvalidEnvironment,
    `Cannot use IP of CNI_ARGS "${address}": an IPv4 or IPv6 address is accepted`,
  );
}
