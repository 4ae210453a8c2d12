import type { NodeStatus } from '../core/node_status.ts';

/** What a watcher has been told, so that it is told only what is new: a heartbeat is not. */
export class ToldStatuses {
  readonly #texts = new Map<string, string>();

  isNews(status: NodeStatus): boolean {
    const { node = '', lastReport: _, ...rest } = status;
    const text = JSON.stringify(rest, (_key, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    if (this.#texts.get(node) === text) return false;
    this.#texts.set(node, text);
    return true;
  }

  /** Forgets all other nodes: one that comes back is news. */
  keep(nodes: readonly string[]): void {
    const kept = new Set(nodes);
    for (const node of this.#texts.keys()) if (!kept.has(node)) this.#texts.delete(node);
  }
}
