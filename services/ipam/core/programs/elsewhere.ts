// Addresses that a node takes from blocks that are not its own. Nothing under the node's keys tells of
// them, so the removal of the node could miss one that was taken after it had looked. So whoever takes
// one writes a mark of the node, and who removes the node compares it with what it was before the look.
import type { Draft, Entry, Program, Reading } from '../program.ts';
import { elsewhereKey, nodeKey } from '../records/keys.ts';
import { formatJson } from '../records/lossless_json.ts';

/** The assignment fails when the node is removed meanwhile. `now` in milliseconds since the epoch. */
export function* markElsewhere(draft: Draft, node: string, now: number): Reading<void> {
  const [mark, record] = [elsewhereKey(node), nodeKey(node)];
  const known = yield { keys: [mark, record] };
  draft.put(mark, known.get(mark), formatJson({ at: now }));
  draft.expect(record, known.get(record));
}

/** To be read before a look around for what the node has. */
export function* elsewhereMark(node: string): Program<Entry | undefined> {
  const key = elsewhereKey(node);
  const known = yield { keys: [key] };
  return { value: known.get(key) };
}
