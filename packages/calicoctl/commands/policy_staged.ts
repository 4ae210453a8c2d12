// policy staged: what staged policies would do if they were enforced.
import {
  type Enforcement,
  enforcementOf,
  parseStored,
  STAGED_KINDS,
  type StagedPolicy,
} from '@calico/model';
import { CommandError } from '../command_error.ts';
import { formatPreview } from '../formats/preview.ts';
import { listResources } from '../list_resources.ts';
import type { Session } from '../session.ts';
import { refuseProblems } from './node_problems.ts';

/** `name`: only this one, by name or namespace/name. @throws CommandError when there is none of that name */
export async function showStaged(session: Session, name: string | undefined): Promise<void> {
  const { connections, terminal } = session;
  const all = await stagedPolicies(session);
  const chosen = all.filter((one) => name === undefined || nameOf(one) === name);
  if (name !== undefined && chosen.length === 0) {
    throw new CommandError(`Cannot show staged policy "${name}": there is none of that name`);
  }
  terminal.out(chosen.length === 0 ? 'No policy is staged.\n' : chosen.map(lineOf).join(''));
  const changes = chosen.map(enforcementOf);
  if (changes.every(({ kind }) => kind === 'nothing')) return;
  const { nodes, problems } = await connections.ask('policy', (client) =>
    client.previewChange({
      put: changes.flatMap((one) => (one.kind === 'put' ? [messageOf(one)] : [])),
      removed: changes.flatMap((one) => (one.kind === 'removed' ? [one.key] : [])),
    }),
  );
  terminal.out(`\n${formatPreview(nodes)}`);
  refuseProblems(problems);
}

function messageOf({ resource }: Extract<Enforcement, { kind: 'put' }>) {
  const { kind, metadata } = resource;
  const { name, namespace = '' } = metadata;
  return { kind, namespace, name, json: JSON.stringify(resource) };
}

async function stagedPolicies(session: Session): Promise<StagedPolicy[]> {
  const found: StagedPolicy[] = [];
  for (const kind of STAGED_KINDS) {
    const { resources } = await listResources(session, kind);
    found.push(...resources.map(({ json }) => parseStored(kind, json)));
  }
  return found;
}

function nameOf({ metadata }: StagedPolicy): string {
  const { name, namespace } = metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function lineOf(staged: StagedPolicy): string {
  return `pending: ${staged.kind} ${nameOf(staged)} (${staged.spec.stagedAction})\n`;
}
