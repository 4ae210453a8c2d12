// The file in which the node's agent leaves the name of the node (/var/lib/calico/nodename).
import { readFileSync } from 'node:fs';
import { CniError, ErrorCode } from './cni_error.ts';

/** The name; undefined when there is no such file. Throws CniError when it cannot be read. */
export function readNodenameFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CniError(ErrorCode.IoFailure, `Cannot read nodename_file "${path}": ${message}`, '', {
      cause,
    });
  }
}
