// Addresses that a node takes from blocks that are not its own. Nothing under the node's keys tells of
// them, so the removal of the node could miss one that was taken after it had looked. So whoever takes
// one writes a mark of the node, and who removes the node compares it with what it was before the look.
import { IpamError } from '../ipam_error.ts';
import type { Draft, Entry, Known, Program, Reading } from '../program.ts';
import { elsewhereKey, nodeKey } from '../records/keys.ts';
import { formatJson } from '../records/lossless_json.ts';

/**
 * Whether a request has seen its Node, over all of its attempts: one that another process deletes
 * meanwhile makes a commit fail, and the next attempt finds none, as if there never had been one.
 */
export class NodeSightings {
  #wasThere = false;

  /** @throws IpamError 'precondition' when the Node was there before and is not any more */
  look(node: string, known: Known): void {
    const isThere = known.get(nodeKey(node)) !== undefined;
    if (this.#wasThere && !isThere) {
      throw new IpamError(
        'precondition',
        `Cannot assign an address to node "${node}": its Node was deleted meanwhile`,
      );
    }
    this.#wasThere = isThere;
  }
}

/** The assignment fails when the node is removed meanwhile. `now` in milliseconds since the epoch. */
export function* markElsewhere(
  draft: Draft,
  node: string,
  now: number,
  sightings: NodeSightings | undefined,
): Reading<void> {
  const [mark, record] = [elsewhereKey(node), nodeKey(node)];
  const known = yield { keys: [mark, record] };
  sightings?.look(node, known);
  draft.put(mark, known.get(mark), formatJson({ at: now }));
  draft.expect(record, known.get(record));
}

/** To be read before a look around for what the node has. */
export function* elsewhereMark(node: string): Program<Entry | undefined> {
  const key = elsewhereKey(node);
  const known = yield { keys: [key] };
  return { value: known.get(key) };
}
