// setns(2) moves one thread, and JavaScript runs on one thread: what happens synchronously between going
// into another namespace and coming back is all that happens there. Sockets stay where they were made.
import { closeSync, openSync, stat } from 'node:fs';
import { errnoName, NetlinkError } from './errors.ts';
import { systemLibc } from './koffi_libc.ts';

const CLONE_NEWNET = 0x40000000;

let home: number | undefined;

/**
 * Runs `work` in the network namespace at `path` (for example /var/run/netns/x) and comes back. `work` must
 * be synchronous and must not start anything asynchronous. When there is no way back the process aborts: all
 * that it did from then on would be done to a pod.
 * Throws NetlinkError: ENOENT (no such file), EINVAL (not a network namespace), EPERM.
 */
export function withNetns<T>(path: string, work: () => T): T {
  const fd = openNetnsFd(path);
  try {
    return inside(fd, path, work);
  } finally {
    closeNetnsFd(fd);
  }
}

/** Opens the namespace at `path`, for VETH peers to be created in. Throws NetlinkError. */
export function openNetnsFd(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'EIO';
    const state = code === 'ENOENT' ? 'it does not exist' : code;
    throw new NetlinkError(code, `Cannot open network namespace "${path}": ${state}`, { cause });
  }
}

export function closeNetnsFd(fd: number): void {
  closeSync(fd);
}

function inside<T>(fd: number, path: string, work: () => T): T {
  const libc = systemLibc();
  const back = homeFd();
  if (libc.setns(fd, CLONE_NEWNET) < 0) {
    const code = errnoName(libc.errno());
    const state = code === 'EINVAL' ? 'it is not a network namespace' : code;
    throw new NetlinkError(code, `Cannot enter network namespace "${path}": ${state}`);
  }
  try {
    const result = work();
    if (result instanceof Promise) {
      throw new TypeError('Cannot work asynchronously inside another network namespace');
    }
    return result;
  } finally {
    if (libc.setns(back, CLONE_NEWNET) < 0) process.abort();
  }
}

// The thread pool of the runtime is started here, at home: threads that a first asynchronous call made
// while the process is away would stay in the other namespace for good.
function homeFd(): number {
  if (home === undefined) {
    home = openSync('/proc/thread-self/ns/net', 'r');
    stat('/', () => {});
  }
  return home;
}
