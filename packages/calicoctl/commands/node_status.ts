import { access, constants } from 'node:fs/promises';
import { CommandError } from '../command_error.ts';
import { NoAnswerError, targetOf } from '../connections.ts';
import { formatNodeStatus, NOT_ANSWERING, NOT_RUNNING } from '../formats/node_status.ts';
import type { CommandAdder, Session } from '../session.ts';

export const addNodeStatus: CommandAdder = (node, run) => {
  node
    .command('status')
    .description("show the sessions of this node's BGP speaker")
    .addHelpText(
      'after',
      `
Example:
  sudo calicoctl node status

Run it on a node, as root: it asks the speaker through its socket in CALICO_RUN_DIR.`,
    )
    .action(() => run(showStatus));
};

async function showStatus({ connections, terminal, settings }: Session): Promise<void> {
  try {
    const [{ peers }, { problems }] = await connections.ask('bgp', (client) =>
      Promise.all([client.listPeers({}), client.getSpeaker({})]),
    );
    terminal.out(formatNodeStatus(peers, terminal.now(), problems));
  } catch (cause) {
    if (!(cause instanceof NoAnswerError)) throw cause;
    await checkPermission(targetOf('bgp', settings).replace(/^unix:/, ''));
    terminal.out(cause.isThere ? NOT_ANSWERING : NOT_RUNNING);
    throw new CommandError(cause.message, {
      cause,
      ...(cause.advice === undefined ? {} : { advice: cause.advice }),
    });
  }
}

/** A socket that this user may not open says nothing about the process behind it. */
async function checkPermission(socket: string): Promise<void> {
  try {
    await access(socket, constants.R_OK | constants.W_OK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EACCES') return;
    throw new CommandError(`Cannot open "${socket}": permission denied`, {
      cause,
      advice: 'Run the command as root.',
    });
  }
}
