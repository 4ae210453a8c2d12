// `ipam configure`: the IPAMConfiguration of the cluster.
import { CommandError } from '../command_error.ts';
import { toDocument } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { codeOf } from './write.ts';

type Option = {
  readonly flag: string;
  readonly value: string;
  readonly help: string;
  /** Field of the IPAMConfiguration, and its name in Go. */
  readonly field: string;
  readonly title: string;
  /** Undefined: not accepted. */
  readonly parse: (text: string) => boolean | number | string | undefined;
  readonly accepted: string;
};

const OPTIONS: readonly Option[] = [
  {
    flag: 'strictaffinity',
    value: '<true|false>',
    help: "whether nodes never use other nodes' blocks",
    field: 'strictAffinity',
    title: 'StrictAffinity',
    parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
    accepted: 'true or false',
  },
  {
    flag: 'max-blocks-per-host',
    value: '<number>',
    help: 'most blocks that a node may hold; 0: 20',
    field: 'maxBlocksPerHost',
    title: 'MaxBlocksPerHost',
    parse: wholeNumber(1_000_000),
    accepted: 'a whole number from 0 to 1000000',
  },
  {
    flag: 'kubevirt-ip-persistence',
    value: '<Enabled|Disabled>',
    help: 'whether a virtual machine keeps its addresses',
    field: 'kubeVirtVMAddressPersistence',
    title: 'KubeVirtVMAddressPersistence',
    parse: (text) => (/^(Enabled|Disabled)$/.test(text) ? text : undefined),
    accepted: 'Enabled or Disabled',
  },
  {
    flag: 'ip-cooldown-seconds',
    value: '<number>',
    help: 'how long a released address is not given out again',
    field: 'ipCooldownSeconds',
    title: 'IPCooldownSeconds',
    parse: wholeNumber(1200),
    accepted: 'a whole number from 0 to 1200',
  },
  {
    flag: 'warm-addresses-per-node',
    value: '<number>',
    help: 'addresses that a node holds ready while etcd cannot be reached; 0: none',
    field: 'warmAddressesPerNode',
    title: 'WarmAddressesPerNode',
    parse: wholeNumber(16),
    accepted: 'a whole number from 0 to 16',
  },
];

function wholeNumber(most: number): Option['parse'] {
  return (text) => (/^[0-9]{1,7}$/.test(text) && Number(text) <= most ? Number(text) : undefined);
}

export const addConfigure: CommandAdder = (ipam, run) => {
  const command = ipam.command('configure').description('change the configuration of IPAM');
  for (const { flag, value, help } of OPTIONS) command.option(`--${flag} ${value}`, help);
  command
    .addHelpText('after', '\nExample:\n  calicoctl ipam configure --strictaffinity=true')
    .action((options: Given) => run((session) => configure(session, options)));
};

/** By flag in camel case, as commander has it. */
type Given = Readonly<Record<string, string | undefined>>;

async function configure(session: Session, given: Given): Promise<void> {
  const changes = changesOf(given);
  const values = Object.fromEntries(changes.map(({ field, value }) => [field, value]));
  const spec = { ...(await readConfiguration(session)), ...values };
  const document = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMConfiguration',
    metadata: { name: 'default' },
    spec,
  };
  const resource = { kind: document.kind, name: 'default', json: JSON.stringify(document) };
  await session.connections.ask('api', (client) => client.apply({ resource }));
  for (const { title, value } of changes) {
    session.terminal.out(`Successfully set ${title} to: ${value}\n`);
  }
}

function changesOf(given: Given) {
  const changes = OPTIONS.flatMap(({ flag, field, title, parse, accepted }) => {
    const text = given[flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    if (text === undefined) return [];
    const value = parse(text);
    if (value !== undefined) return [{ field, title, value }];
    throw new CommandError(`Cannot set --${flag} "${text}": expected ${accepted}`);
  });
  if (changes.length > 0) return changes;
  const flags = OPTIONS.map(({ flag }) => `--${flag}`).join(', ');
  throw new CommandError(`Cannot configure: expected at least one of ${flags}`);
}

const DEFAULTS = { strictAffinity: false, autoAllocateBlocks: true, maxBlocksPerHost: 0 };

export async function readConfiguration({
  connections,
}: Session): Promise<Record<string, unknown>> {
  const key = { kind: 'IPAMConfiguration', namespace: '', name: 'default' };
  try {
    const { resource } = await connections.ask('api', (client) => client.get({ key }));
    return { ...DEFAULTS, ...toDocument(resource).spec };
  } catch (cause) {
    if (codeOf(cause) === 'NOT_FOUND') return DEFAULTS;
    throw cause;
  }
}
