import { PatchType } from '@calico/proto/api/v1/resources';
import { CommandError } from '../command_error.ts';
import { kindOf, namespaceFor } from '../kind_argument.ts';
import { toDocument } from '../requests.ts';
import type { CommandAdder, Session } from '../session.ts';
import { withNamespace } from './file_options.ts';
import { codeOf } from './write.ts';

type Options = {
  readonly overwrite?: boolean;
  readonly remove?: boolean;
  readonly namespace?: string;
};
type Key = { readonly kind: string; readonly namespace: string; readonly name: string };

export const addLabel: CommandAdder = (parent, run) => {
  const command = parent
    .command('label')
    .description('set, change or remove a label of a resource')
    .argument('<kind>', 'kind, plural or short form')
    .argument('<name>', 'name of the resource')
    .argument('<label>', 'name=value, or the name alone with --remove')
    .option('--overwrite', 'change the label if it has another value')
    .option('--remove', 'remove the label')
    .addHelpText(
      'after',
      `
Examples:
  calicoctl label node k8s-node01 rack=a
  calicoctl label node k8s-node01 rack=b --overwrite
  calicoctl label node k8s-node01 rack --remove`,
    );
  withNamespace(command).action((kind: string, name: string, label: string, options: Options) =>
    run(async (session) => {
      const info = kindOf(kind);
      const key = { kind: info.kind, namespace: namespaceFor(info, options.namespace), name };
      const done = options.remove === true ? removeLabel : setLabel;
      session.terminal.out(`${await done(session, key, label, options)}\n`);
    }),
  );
};

async function setLabel(
  session: Session,
  key: Key,
  text: string,
  options: Options,
): Promise<string> {
  const [, label, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (label === undefined || value === undefined) {
    throw new CommandError(`Cannot set label "${text}": expected name=value`);
  }
  const before = await changeLabel(session, key, label, value, (current) => {
    if (current === undefined || current === value || options.overwrite === true) return;
    throw new CommandError(
      `Cannot set label ${label} on ${key.kind} "${key.name}": it has the value "${current}"`,
      { advice: 'Use --overwrite to change it.' },
    );
  });
  const did = before === undefined ? 'set' : 'updated';
  return `Successfully ${did} label ${label} on ${key.kind} ${key.name}`;
}

async function removeLabel(session: Session, key: Key, text: string): Promise<string> {
  const label = text.replace(/=.*$/, '');
  await changeLabel(session, key, label, null, (current) => {
    if (current !== undefined) return;
    throw new CommandError(
      `Cannot remove label ${label} from ${key.kind} "${key.name}": it does not have it`,
    );
  });
  return `Successfully removed label ${label} from ${key.kind} ${key.name}`;
}

const ATTEMPTS = 5;

/** Changes the state that was checked, or checks again. The value before. */
async function changeLabel(
  { connections }: Session,
  key: Key,
  label: string,
  value: string | null,
  check: (current: string | undefined) => void,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const { resource } = await connections.ask('api', (client) => client.get({ key }));
    const { metadata } = toDocument(resource);
    const current = metadata.labels?.[label];
    check(current);
    const resourceVersion = metadata['resourceVersion'];
    const patch = JSON.stringify({ metadata: { resourceVersion, labels: { [label]: value } } });
    try {
      await connections.ask('api', (client) => client.patch({ key, type: PatchType.MERGE, patch }));
      return current;
    } catch (cause) {
      if (codeOf(cause) !== 'ABORTED' || attempt === ATTEMPTS) throw cause;
    }
  }
}
