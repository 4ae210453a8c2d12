// apply --dry-run: what the documents would do, without doing it.
import type { Resource } from '@calico/proto/api/v1/resources';
import { CommandError } from '../command_error.ts';
import { formatPreview } from '../formats/preview.ts';
import { placeOf, type Request, toMessage } from '../requests.ts';
import type { Session } from '../session.ts';
import { refuseProblems } from './node_problems.ts';

/** Kinds that decide who may reach whom. */
const POLICY_KINDS: ReadonlySet<string> = new Set([
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'Tier',
  'Profile',
  'NetworkSet',
  'GlobalNetworkSet',
  'KubernetesEndpointSlice',
]);

/** Kinds that other documents may name or meet. */
const DEPENDED_ON: ReadonlySet<string> = new Set(['Tier', 'IPPool']);

/** @throws CommandError when a node does not answer, RpcError when api would refuse a document */
export async function dryRun(
  { connections, terminal }: Session,
  requests: readonly Request[],
): Promise<void> {
  const checked: Resource[] = [];
  for (const [index, request] of requests.entries()) {
    const earlier = requests.slice(0, index).filter(({ kind }) => DEPENDED_ON.has(kind));
    const message = { resource: toMessage(request), earlier: earlier.map(toMessage) };
    const { resource } = await connections
      .ask('api', (client) => client.validate(message))
      .catch((cause: unknown) => {
        throw cause instanceof CommandError ? cause : refused(request, cause);
      });
    if (resource !== undefined) checked.push(resource);
  }
  terminal.out(`${requests.length} resource(s) would be applied\n`);
  const put = checked.filter(({ kind }) => POLICY_KINDS.has(kind));
  if (put.length === 0) return;
  const { nodes, problems } = await connections.ask('policy', (client) =>
    client.previewChange({ put }),
  );
  terminal.out(formatPreview(nodes));
  refuseProblems(problems);
}

function refused(request: Request, cause: unknown): CommandError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CommandError(`${placeOf(request)}: ${reason}`, { cause });
}
