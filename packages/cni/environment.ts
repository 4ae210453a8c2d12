// The parameters that a runtime gives in the environment: CNI specification, section 2 "Parameters".
import { CniError, ErrorCode } from './cni_error.ts';

export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;
export type Command = (typeof COMMANDS)[number];

export type Variables = Readonly<Record<string, string | undefined>>;

/** What identifies an interface of a container. */
export type Attachment = {
  readonly containerId: string;
  /** Empty for DEL of a container whose namespace is gone. */
  readonly netns: string;
  readonly interfaceName: string;
};

const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const MAXIMUM_ID_LENGTH = 253;
const INTERFACE_NAME = /^[^\s/:\0]{1,15}$/;

/** Throws CniError: invalid environment. */
export function readCommand(variables: Variables): Command {
  const command = variables['CNI_COMMAND'];
  const found = COMMANDS.find((name) => name === command);
  if (found) return found;
  throw invalid('CNI_COMMAND', command, `one of ${COMMANDS.join(', ')} is accepted`);
}

/** CNI_CONTAINERID, CNI_NETNS and CNI_IFNAME. Throws CniError: invalid environment. */
export function readAttachment(command: Command, variables: Variables): Attachment {
  const containerId = variables['CNI_CONTAINERID'] ?? '';
  if (!CONTAINER_ID.test(containerId) || containerId.length > MAXIMUM_ID_LENGTH) {
    throw invalid(
      'CNI_CONTAINERID',
      variables['CNI_CONTAINERID'],
      'letters, digits, "_", "." and "-" with a letter or digit first are accepted',
    );
  }
  const netns = variables['CNI_NETNS'] ?? '';
  const mayBeGone = command === 'DEL' && netns === '';
  if (!mayBeGone && (!netns.startsWith('/') || netns.includes('\0'))) {
    const what = 'the absolute path of a network namespace is accepted';
    throw invalid('CNI_NETNS', variables['CNI_NETNS'], what);
  }
  const interfaceName = variables['CNI_IFNAME'] ?? '';
  const isReserved = interfaceName === '.' || interfaceName === '..';
  if (isReserved || !INTERFACE_NAME.test(interfaceName) || byteLength(interfaceName) > 15) {
    throw invalid(
      'CNI_IFNAME',
      variables['CNI_IFNAME'],
      'an interface name of 1 to 15 bytes without "/", ":" and white space is accepted',
    );
  }
  return { containerId, netns, interfaceName };
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

export function invalid(name: string, value: string | undefined, accepted: string): CniError {
  const what = value === undefined || value === '' ? '' : ` ${JSON.stringify(value)}`;
  const state = what === '' ? 'it is not set; ' : '';
  return new CniError(
    ErrorCode.InvalidEnvironment,
    `Cannot use ${name}${what}: ${state}${accepted}`,
  );
}
