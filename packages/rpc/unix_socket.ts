// The life of a listening unix socket's file.
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';

/** Owner and group may call; everybody else may not. */
const SOCKET_MODE = 0o660;

/**
 * Makes `path` free to listen on: creates its directory and removes the socket of a process that is
 * gone. Throws when a living process listens there, or when something else has that name.
 */
export async function claimSocketPath(path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new Error(`Cannot listen on "unix:${path}": a file that is not a socket is in the way`);
  }
  if (await isAnswered(path)) {
    throw new Error(`Cannot listen on "unix:${path}": another process listens there`);
  }
  unlinkSync(path);
}

export function protectSocket(path: string): void {
  chmodSync(path, SOCKET_MODE);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
