import { open, rename, rm } from 'node:fs/promises';
import { CommandError } from '../command_error.ts';
import type { Session } from '../session.ts';

/** Writes beside the file first: what has its name is whole. */
export async function dumpTable({ connections, terminal }: Session, file: string): Promise<void> {
  const part = `${file}.part`;
  try {
    const handle = await open(part, 'w');
    let bytes = 0;
    try {
      await connections.ask('bgp', async (client) => {
        for await (const { mrt } of client.dumpTable({})) {
          await handle.writeFile(mrt);
          bytes += mrt.length;
        }
      });
    } finally {
      await handle.close();
    }
    await rename(part, file);
    terminal.out(`Wrote ${bytes} bytes to '${file}'\n`);
  } catch (cause) {
    await rm(part, { force: true });
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new CommandError(`Cannot write "${file}": ${cause.message}`, { cause });
  }
}
