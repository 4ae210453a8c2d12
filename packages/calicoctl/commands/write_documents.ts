// What create, apply, replace and delete share: one document after the other, with a count at the end.
import { KINDS, type Kind } from '@calico/model';
import { CommandError } from '../command_error.ts';
import { placeText } from '../documents.ts';
import type { Request } from '../requests.ts';
import type { Session } from '../session.ts';
import { type AppliedTarget, waitApplied } from '../wait_applied.ts';

export type Verb = { readonly infinitive: string; readonly past: string };

/** Something to do to one object. */
export type Item = {
  readonly kind: Kind;
  readonly name: string;
  /** Where it was read, when it came from a file. */
  readonly source?: Request['source'];
  /** The revision after the change; undefined when there was nothing to do. */
  readonly change: () => Promise<bigint | undefined>;
};

/** @throws CommandError when one fails; those before it stay done and are counted */
export async function writeAll(
  session: Session,
  verb: Verb,
  items: readonly Item[],
  timeoutMs: number | undefined,
): Promise<void> {
  const startedMs = session.terminal.elapsedMs();
  const targets: AppliedTarget[] = [];
  for (const [index, item] of items.entries()) {
    try {
      const revision = await item.change();
      if (revision !== undefined) targets.push({ kind: item.kind, revision });
    } catch (cause) {
      const passedOver = index - targets.length;
      throw failure(verb, items, item, { done: targets.length, passedOver }, cause);
    }
  }
  const what = describe(items);
  // What was passed over (--skip-exists, --skip-not-exists) has not been done.
  session.terminal.out(`Successfully ${verb.past} ${targets.length} ${what}resource(s)\n`);
  const travelling = targets.filter(({ kind }) => KINDS[kind as Kind].consumers.length > 0);
  if (timeoutMs === undefined || travelling.length === 0) return;
  session.terminal.out(`${await waitApplied(session, travelling, { timeoutMs, startedMs })}\n`);
}

/** "'IPPool' ", or nothing when the kinds are mixed. */
export function describe(items: readonly { readonly kind: Kind }[]): string {
  const kinds = new Set(items.map(({ kind }) => kind));
  const [only] = kinds;
  return kinds.size === 1 ? `'${only}' ` : '';
}

function failure(
  verb: Verb,
  items: readonly Item[],
  { source }: Item,
  { done, passedOver }: { readonly done: number; readonly passedOver: number },
  cause: unknown,
): CommandError {
  const place = source === undefined ? '' : `${placeText(source)}: `;
  const reason = `${place}${cause instanceof Error ? cause.message : String(cause)}`;
  const advice = cause instanceof CommandError ? cause.advice : undefined;
  const what = describe(items);
  const count = passedOver === 0 ? `the first ${done}` : `${done}, passed over ${passedOver},`;
  const summary =
    done > 0
      ? `Partial success: ${verb.past} ${count} out of ${items.length} ${what}resources\nHit error: ${reason}`
      : items.length === 1
        ? `Failed to ${verb.infinitive} ${what}resource: ${reason}`
        : `Failed to ${verb.infinitive} any ${what}resources: ${reason}`;
  return new CommandError(summary, { cause, ...(advice === undefined ? {} : { advice }) });
}
