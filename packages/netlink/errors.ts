import { constants } from 'node:os';

const NAMES = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);
// Linux reports EOPNOTSUPP; libc has ENOTSUP as another name of the same number.
NAMES.set(95, 'EOPNOTSUPP');
NAMES.set(11, 'EAGAIN');
NAMES.set(93, 'EPROTONOSUPPORT');

/** Name of an errno number, for example 17 → "EEXIST"; "E524" when libc has no name for it. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/** The kernel refused a request, or a system call failed. */
export class NetlinkError extends Error {
  /** "ENOENT", "EPERM", "ENODEV" … */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NetlinkError';
    this.code = code;
  }
}

/** For a system call that has failed: "Cannot open eventfd: EMFILE". */
export function systemCallError(action: string, errno: number): NetlinkError {
  const code = errnoName(errno);
  return new NetlinkError(code, `Cannot ${action}: ${code}`);
}

/** Bytes that are not a netlink message of the expected kind. */
export class NetlinkDecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NetlinkDecodeError';
  }
}
