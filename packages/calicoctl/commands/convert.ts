import { CONVERTIBLE } from '@calico/model';
import { stringify } from 'yaml';
import { CommandError } from '../command_error.ts';
import { YAML } from '../formats/output.ts';
import { checkRequests, requestsOf } from '../requests.ts';
import type { CommandAdder } from '../session.ts';
import { documentsOf, type FileOptions, withFileOptions } from './file_options.ts';

type Options = FileOptions & { readonly output: string };

export const addConvert: CommandAdder = (parent, run) => {
  const command = parent
    .command('convert')
    .description(
      "print Kubernetes' policies, services, namespaces and service accounts as Calico's resources",
    )
    .option('-o, --output <format>', 'yaml or json', 'yaml')
    .addHelpText('after', HELP)
    .action((options: Options) =>
      run(async (session) => {
        const { output } = options;
        if (output !== 'yaml' && output !== 'json') {
          throw new CommandError(`Cannot print as "${output}": expected yaml or json`);
        }
        const requests = requestsOf(await documentsOf(session, options), options.namespace);
        checkRequests(requests, 'convert');
        const documents = requests.map(({ document }) => document);
        session.terminal.out(
          output === 'yaml'
            ? documents.map((document) => stringify(document, YAML)).join('---\n')
            : `${JSON.stringify(documents.length === 1 ? documents[0] : documents, null, 2)}\n`,
        );
      }),
    );
  withFileOptions(command);
};

const HELP = `
Kinds of Kubernetes:
${CONVERTIBLE.map((kind) => `  ${kind}`).join('\n')}

apply, create, replace and delete take them as well. Calico's own documents are printed as they are.

Examples:
  calicoctl convert -f kubernetes.yaml > calico.yaml
  kubectl get networkpolicy -A -o yaml | calicoctl convert -f -`;
