import { PatchType } from '@calico/proto/api/v1/resources';
import { parse } from 'yaml';
import { CommandError } from '../command_error.ts';
import { kindOf, namespaceFor } from '../kind_argument.ts';
import type { CommandAdder } from '../session.ts';
import { withNamespace } from './file_options.ts';

type Options = { readonly patch: string; readonly type: string; readonly namespace?: string };

const TYPES: Readonly<Record<string, PatchType>> = {
  strategic: PatchType.STRATEGIC,
  merge: PatchType.MERGE,
  json: PatchType.JSON,
};

export const addPatch: CommandAdder = (parent, run) => {
  const command = parent
    .command('patch')
    .description('change some fields of a resource')
    .argument('<kind>', 'kind, plural or short form')
    .argument('<name>', 'name of the resource')
    .requiredOption('-p, --patch <patch>', 'the patch, JSON or YAML')
    .option('-t, --type <type>', 'strategic, merge (RFC 7386) or json (RFC 6902)', 'strategic')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl patch ippool default-ipv4-ippool -p '{"spec": {"natOutgoing": true}}'
  calicoctl patch node k8s-node01 -p '{"spec": {"bgp": {"routeReflectorClusterID": "244.0.0.1"}}}'
  calicoctl patch bgpconfig default -t json -p '[{"op": "replace", "path": "/spec/asNumber", "value": 65000}]'`,
    );
  withNamespace(command).action((kind: string, name: string, options: Options) =>
    run(async ({ connections, terminal }) => {
      const info = kindOf(kind);
      const type = TYPES[options.type];
      if (type === undefined) {
        throw new CommandError(
          `Cannot patch with type "${options.type}": expected strategic, merge or json`,
        );
      }
      const key = { kind: info.kind, namespace: namespaceFor(info, options.namespace), name };
      const patch = JSON.stringify(parsePatch(options.patch));
      await connections.ask('api', (client) => client.patch({ key, type, patch }));
      terminal.out(`Successfully patched 1 '${info.kind}' resource\n`);
    }),
  );
};

function parsePatch(text: string): unknown {
  try {
    const patch: unknown = parse(text);
    if (typeof patch === 'object' && patch !== null) return patch;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`Cannot read the patch: ${reason}`, { cause });
  }
  throw new CommandError(`Cannot read the patch "${text}": expected an object or a list`, {
    advice: 'Quote it for the shell, for example -p \'{"spec": {"natOutgoing": true}}\'.',
  });
}
