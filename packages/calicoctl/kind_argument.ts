import { findKind, KINDS, type KindInfo } from '@calico/model';
import { CommandError } from './command_error.ts';

/**
 * The kind that a word of the command line means.
 * @param place where the word stands, in front of the message
 * @throws CommandError
 */
export function kindOf(text: string, place = ''): KindInfo {
  const info = findKind(text);
  if (info !== undefined) return info;
  const names = Object.values(KINDS).map(({ kind }) => kind.toLowerCase());
  throw new CommandError(
    `${place}Cannot find kind "${text}": expected one of ${names.join(', ')}`,
    {
      advice: 'Plurals and short forms work too: ippools, pool, np, gnp, wep, hep, no.',
    },
  );
}

/** Where an object of the kind is looked for; '' for kinds that are not namespaced. */
export function namespaceFor(info: KindInfo, namespace: string | undefined): string {
  return info.namespaced ? (namespace ?? 'default') : '';
}
