import type { Command } from 'commander';
import { CommandError } from '../command_error.ts';
import { converted, passedOver } from '../converted.ts';
import { readDocuments, type SourceDocument } from '../documents.ts';
import { parseDuration } from '../duration.ts';
import type { Session } from '../session.ts';

export type FileOptions = {
  readonly filename?: string[];
  readonly recursive?: boolean;
  readonly skipEmpty?: boolean;
  readonly namespace?: string;
};

export function withFileOptions(command: Command): Command {
  return withNamespace(command)
    .option(
      '-f, --filename <location>',
      'file, directory, or "-" for standard input; may be given several times',
      (value: string, previous: string[] | undefined) => [...(previous ?? []), value],
    )
    .option('-R, --recursive', 'take files of directories inside the directory too')
    .option('--skip-empty', 'succeed when the files hold no document');
}

export function withNamespace(command: Command): Command {
  return command.option(
    '-n, --namespace <namespace>',
    'namespace of objects that name none (default: "default")',
  );
}

export type WaitFlags = { readonly wait?: boolean; readonly timeout: string };

export function withWaitOptions(command: Command): Command {
  return command
    .option('--wait', 'return when the change is in force in the kernel of every node')
    .option('--timeout <duration>', 'longest time to wait', '30s');
}

/** Milliseconds to wait, or undefined without --wait. */
export function waitTimeout({ wait, timeout }: WaitFlags): number | undefined {
  return wait === true ? parseDuration(timeout) : undefined;
}

/**
 * The documents of all given locations, those of Kubernetes converted, and without those of which nothing comes: these
 * are named. @throws CommandError without locations or documents
 */
export async function documentsOf(
  { terminal }: Session,
  { filename = [], recursive, skipEmpty, namespace }: FileOptions,
): Promise<SourceDocument[]> {
  if (filename.length === 0) {
    throw new CommandError('Cannot find resources: no file is given', {
      advice: 'Give -f FILE, -f DIRECTORY, or -f - for standard input.',
    });
  }
  const documents: SourceDocument[] = [];
  for (const location of filename) {
    documents.push(...(await readDocuments(location, terminal.readInput, { recursive })));
  }
  if (documents.length === 0 && skipEmpty !== true) {
    throw new CommandError(`Cannot find a resource in ${filename.map(quoted).join(', ')}`, {
      advice: 'Give a document with apiVersion, kind, metadata and spec, or --skip-empty.',
    });
  }
  return documents.flatMap((source) => {
    const warning = passedOver(source);
    if (warning === undefined) return [converted(source, namespace)];
    terminal.err(warning);
    return [];
  });
}

/** @throws CommandError unless there is either a kind or a file */
export function requireOne(kind: string | undefined, { filename = [] }: FileOptions): void {
  if ((kind === undefined) === filename.length > 0) return;
  throw new CommandError('Cannot choose objects: expected either a kind or -f, and not both');
}

function quoted(location: string): string {
  return location === '-' ? 'standard input' : `"${location}"`;
}
