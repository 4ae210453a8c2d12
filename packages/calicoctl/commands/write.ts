// create, apply and replace.
import type { Command } from 'commander';
import { checkRequests, type Request, requestsOf, toMessage } from '../requests.ts';
import type { CommandAdder, Runner, Session } from '../session.ts';
import { dryRun } from './dry_run.ts';
import {
  documentsOf,
  type FileOptions,
  type WaitFlags,
  waitTimeout,
  withFileOptions,
  withWaitOptions,
} from './file_options.ts';
import { storedOnlyWarnings } from './stored_only.ts';
import { type Verb, writeAll } from './write_documents.ts';

type WriteOptions = FileOptions &
  WaitFlags & { readonly skipExists?: boolean; readonly dryRun?: boolean };
type Change = (
  session: Session,
  request: Request,
  options: WriteOptions,
) => Promise<bigint | undefined>;

export const addApply: CommandAdder = (parent, run) => {
  const command = parent
    .command('apply')
    .description('create resources, or replace those that exist')
    .option(
      '--dry-run',
      'say what would change, for whom and for which connections; change nothing',
    )
    .addHelpText(
      'after',
      `
Examples:
  calicoctl apply -f pool.yaml
  calicoctl apply --wait --timeout 10s -f policies/
  calicoctl apply --dry-run -f policy.yaml
  cat <<EOF | calicoctl apply -f -
  apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata:
    name: default-ipv4-ippool
  spec:
    cidr: 10.244.0.0/16
    ipipMode: Always
    natOutgoing: true
  EOF

All documents are checked before the first is sent: a mistake in one changes nothing.
With --wait the last line says on how many nodes the change is in force, and after how long.`,
    );
  addWrite(command, run, { infinitive: 'apply', past: 'applied' }, applyOne);
};

export const addCreate: CommandAdder = (parent, run) => {
  const command = parent
    .command('create')
    .description('create resources; fails for those that exist')
    .option('--skip-exists', 'pass over resources that exist')
    .addHelpText('after', '\nExample:\n  calicoctl create -f policy.yaml -n production');
  addWrite(command, run, { infinitive: 'create', past: 'created' }, createOne);
};

export const addReplace: CommandAdder = (parent, run) => {
  const command = parent
    .command('replace')
    .description('replace resources that exist')
    .addHelpText(
      'after',
      `
Example:
  calicoctl get ippool default-ipv4-ippool -o yaml > pool.yaml
  vi pool.yaml
  calicoctl replace -f pool.yaml

A document with metadata.resourceVersion replaces only that state of the resource: when somebody
else changed it meanwhile, nothing is replaced and the command says so.`,
    );
  addWrite(command, run, { infinitive: 'replace', past: 'replaced' }, replaceOne);
};

function addWrite(command: Command, run: Runner, verb: Verb, change: Change): void {
  withWaitOptions(withFileOptions(command)).action((options: WriteOptions) =>
    run(async (session) => {
      const documents = await documentsOf(session, options);
      const requests = requestsOf(documents, options.namespace);
      checkRequests(requests, verb.infinitive);
      const warnings = storedOnlyWarnings(requests.map(({ kind }) => kind));
      if (warnings !== '') session.terminal.err(warnings);
      if (options.dryRun === true) return dryRun(session, requests);
      const items = requests.map((request) => ({
        kind: request.kind,
        name: request.name,
        source: request.source,
        change: () => change(session, request, options),
      }));
      await writeAll(session, verb, items, waitTimeout(options));
    }),
  );
}

const applyOne: Change = async ({ connections }, request) => {
  const { resource } = await connections.ask('api', (client) =>
    client.apply({ resource: toMessage(request) }),
  );
  return resource?.revision;
};

const createOne: Change = async ({ connections }, request, { skipExists }) => {
  try {
    const { resource } = await connections.ask('api', (client) =>
      client.create({ resource: toMessage(request) }),
    );
    return resource?.revision;
  } catch (cause) {
    if (skipExists === true && codeOf(cause) === 'ALREADY_EXISTS') return undefined;
    throw cause;
  }
};

const replaceOne: Change = async ({ connections }, request) => {
  const { resource } = await connections.ask('api', (client) =>
    client.replace({ resource: toMessage(request) }),
  );
  return resource?.revision;
};

/** The gRPC code of a refusal. */
export function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}
