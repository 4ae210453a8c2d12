import type { Log } from '../../ports.ts';
import type { Note } from '../speaker/events.ts';

/** What the speaker has noticed, for people. */
export function logNote(log: Log, { kind, ...fields }: Note): void {
  switch (kind) {
    case 'up':
      return log.info('session established', fields);
    case 'down':
      return log.warn('session lost', fields);
    case 'end-of-rib':
      return log.info('peer has sent all its routes', fields);
    case 'malformed':
      return log.warn('peer sent a malformed update', fields);
    case 'fault': {
      const { fault, ...rest } = fields as Extract<Note, { readonly kind: 'fault' }>;
      return log.warn('session ended by a fault of this program', { ...rest, error: fault });
    }
    case 'prefix-limit':
      return log.warn('peer has told about as many routes as it may, or more', fields);
    case 'path-limit':
      return log.warn('peer tells more paths of a prefix than are kept: refused the rest', fields);
    case 'swept':
      return log.info('routes that a peer did not renew are gone', fields);
    case 'rejudged':
      return;
    default:
      kind satisfies never;
  }
}
