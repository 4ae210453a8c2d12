// `validate`: what apply would say of these documents, without a cluster.
import {
  type IPPool,
  ipPoolProblems,
  keyOf,
  keyTitle,
  parseResource,
  problemText,
} from '@calico/model';
import { checkRequests, placeOf, type Request, refuse, requestsOf } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { documentsOf, type FileOptions, withFileOptions } from './file_options.ts';
import { describe } from './write_documents.ts';

export const addValidate: CommandAdder = (parent, run) => {
  const command = parent
    .command('validate')
    .description('check resources of files; needs no cluster and changes nothing')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl validate -f policies/ -R
  kubectl get networkpolicy -A -o yaml | calicoctl validate -f -

Every field is checked, and that no object is there twice and no pools overlap. What the cluster
holds is not looked at: "calicoctl apply --dry-run" does that.`,
    );
  withFileOptions(command).action((options: FileOptions) =>
    run((session) => validate(session, options)),
  );
};

async function validate(session: Session, options: FileOptions): Promise<void> {
  const requests = requestsOf(await documentsOf(session, options), options.namespace);
  checkRequests(requests, 'validate');
  refuse([...twice(requests), ...overlaps(requests)], 'validate');
  session.terminal.out(
    `Successfully validated ${requests.length} ${describe(requests)}resource(s)\n`,
  );
}

/** Of two documents of one object the second would replace the first. */
function twice(requests: readonly Request[]): string[] {
  const first = new Map<string, Request>();
  return requests.flatMap((request) => {
    const title = keyTitle(request);
    const before = first.get(title);
    first.set(title, before ?? request);
    if (before === undefined) return [];
    return [`${placeOf(request)}: ${title}: is in ${placeOf(before)} already`];
  });
}

/** Pools that the cluster would refuse beside each other. */
function overlaps(requests: readonly Request[]): string[] {
  const pools: IPPool[] = [];
  return requests.flatMap((request) => {
    const resource = parseResource(request.document);
    if (resource.kind !== 'IPPool') return [];
    const problems = ipPoolProblems(resource, pools);
    pools.push(resource);
    return problems.map(
      (problem) => `${placeOf(request)}: ${keyTitle(keyOf(resource))}: ${problemText(problem)}`,
    );
  });
}
