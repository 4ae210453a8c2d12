import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import {
  formatAssignment,
  formatBorrowed,
  formatIpamConfiguration,
  formatUtilization,
} from '../formats/ipam.ts';
import { toDocument } from '../requests.ts';
import type { CommandAdder, Runner, Session } from '../session.ts';
import { codeOf } from './write.ts';

export const addIpam: CommandAdder = (parent, run) => {
  const ipam = parent.command('ipam').description('look at addresses and change who holds them');
  addShow(ipam, run);
  addRelease(ipam, run);
  addConfigure(ipam, run);
};

type ShowOptions = {
  readonly showBlocks?: boolean;
  readonly showBorrowed?: boolean;
  readonly showConfiguration?: boolean;
  readonly ip?: string;
};

function addShow(ipam: Command, run: Runner): void {
  ipam
    .command('show')
    .description('show how pools and blocks are used, or who holds an address')
    .option('--ip <address>', 'who holds this address')
    .option('--show-blocks', 'the blocks of each pool too')
    .option('--show-borrowed', "addresses that nodes use out of other nodes' blocks")
    .option('--show-configuration', 'the configuration of IPAM')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam show --show-blocks
  calicoctl ipam show --ip=10.244.58.193`,
    )
    .action((options: ShowOptions) => run((session) => show(session, options)));
}

async function show(session: Session, options: ShowOptions): Promise<void> {
  const { connections, terminal } = session;
  const { ip } = options;
  if (ip !== undefined) {
    const found = await connections.ask('ipam', (client) => client.getAssignment({ address: ip }));
    terminal.out(formatAssignment(ip, found));
  } else if (options.showConfiguration === true) {
    terminal.out(formatIpamConfiguration(await readConfiguration(session)));
  } else {
    const { pools } = await connections.ask('ipam', (client) => client.getUtilization({}));
    const text =
      options.showBorrowed === true
        ? formatBorrowed(pools)
        : formatUtilization(pools, { withBlocks: options.showBlocks === true });
    terminal.out(text);
  }
}

type ReleaseOptions = { readonly ip?: string; readonly handle?: string };

function addRelease(ipam: Command, run: Runner): void {
  ipam
    .command('release')
    .description('give addresses back that nothing uses any more')
    .option('--ip <address>', 'this address')
    .option('--handle <id>', 'every address of this handle')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl ipam release --ip=10.244.58.193
  calicoctl ipam release --handle=k8s-pod-network.3f2a90c1

An address that a running pod still uses is given to another pod afterwards: look first with
"calicoctl ipam show --ip=ADDRESS" and "calicoctl get workloadendpoints -A".`,
    )
    .action((options: ReleaseOptions) => run((session) => release(session, options)));
}

async function release({ connections, terminal }: Session, options: ReleaseOptions): Promise<void> {
  const { ip, handle } = options;
  if ((ip === undefined) === (handle === undefined)) {
    throw new CommandError('Cannot choose addresses: expected either --ip or --handle');
  }
  if (ip !== undefined) {
    const { unallocated } = await connections.ask('ipam', (client) =>
      client.releaseIps({ releases: [{ address: ip }] }),
    );
    if (unallocated.length > 0) {
      throw new CommandError(`Cannot release "${ip}": it is not assigned`);
    }
    terminal.out(`Successfully released IP address ${ip}\n`);
    return;
  }
  const handleId = handle ?? '';
  const { released } = await connections.ask('ipam', (client) =>
    client.releaseByHandle({ handleId }),
  );
  for (const address of released) terminal.out(`Successfully released IP address ${address}\n`);
  terminal.out(`Released ${released.length} IPs successfully\n`);
}

type ConfigureOptions = { readonly strictaffinity?: string; readonly maxBlocksPerHost?: string };

function addConfigure(ipam: Command, run: Runner): void {
  ipam
    .command('configure')
    .description('change the configuration of IPAM')
    .option('--strictaffinity <true|false>', "whether nodes never use other nodes' blocks")
    .option('--max-blocks-per-host <number>', 'most blocks that a node may hold; 0: 20')
    .addHelpText('after', '\nExample:\n  calicoctl ipam configure --strictaffinity=true')
    .action((options: ConfigureOptions) => run((session) => configure(session, options)));
}

async function configure(session: Session, options: ConfigureOptions): Promise<void> {
  const changes = changesOf(options);
  const spec = { ...(await readConfiguration(session)), ...changes };
  const document = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMConfiguration',
    metadata: { name: 'default' },
    spec,
  };
  const resource = { kind: document.kind, name: 'default', json: JSON.stringify(document) };
  await session.connections.ask('api', (client) => client.apply({ resource }));
  for (const [name, value] of Object.entries(changes)) {
    const title = name.charAt(0).toUpperCase() + name.slice(1);
    session.terminal.out(`Successfully set ${title} to: ${value}\n`);
  }
}

function changesOf({ strictaffinity, maxBlocksPerHost }: ConfigureOptions) {
  if (strictaffinity === undefined && maxBlocksPerHost === undefined) {
    throw new CommandError('Cannot configure: expected --strictaffinity or --max-blocks-per-host');
  }
  if (strictaffinity !== undefined && !/^(true|false)$/.test(strictaffinity)) {
    throw new CommandError(
      `Cannot set --strictaffinity "${strictaffinity}": expected true or false`,
    );
  }
  if (maxBlocksPerHost !== undefined && !/^[0-9]{1,7}$/.test(maxBlocksPerHost)) {
    throw new CommandError(
      `Cannot set --max-blocks-per-host "${maxBlocksPerHost}": expected a whole number from 0 to 1000000`,
    );
  }
  return {
    ...(strictaffinity === undefined ? {} : { strictAffinity: strictaffinity === 'true' }),
    ...(maxBlocksPerHost === undefined ? {} : { maxBlocksPerHost: Number(maxBlocksPerHost) }),
  };
}

const DEFAULTS = { strictAffinity: false, autoAllocateBlocks: true, maxBlocksPerHost: 0 };

async function readConfiguration({ connections }: Session): Promise<Record<string, unknown>> {
  const key = { kind: 'IPAMConfiguration', namespace: '', name: 'default' };
  try {
    const { resource } = await connections.ask('api', (client) => client.get({ key }));
    return { ...DEFAULTS, ...toDocument(resource).spec };
  } catch (cause) {
    if (codeOf(cause) === 'NOT_FOUND') return DEFAULTS;
    throw cause;
  }
}
