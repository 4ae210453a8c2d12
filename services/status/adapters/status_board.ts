// The gathered state, and who waits for it to change.
import type { FeedEvent, ResourceView } from '@calico/feed';
import { type NodeReports, type Report, withReport } from '../core/node_reports.ts';

/** Reporters without a Node resource that are remembered. */
const STRANGERS = 1_000;

export class StatusBoard {
  readonly #view: ResourceView;
  readonly #reports = new Map<string, NodeReports>();
  readonly #waiting = new Set<(node: string | undefined) => void>();

  constructor(view: ResourceView) {
    this.#view = view;
  }

  /** The nodes of the cluster: the Node resources, by name. */
  get nodes(): readonly string[] {
    return this.#view
      .list('Node')
      .map(({ metadata }) => metadata.name)
      .toSorted();
  }

  has(node: string): boolean {
    return this.#view.get('Node', node) !== undefined;
  }

  /** True when the list of nodes is complete up to this revision. */
  knowsNodesAt(revision: bigint): boolean {
    return this.#view.inSync && this.#view.revision >= revision;
  }

  /** Undefined: has never reported. */
  reportsOf(node: string): NodeReports | undefined {
    return this.#reports.get(node);
  }

  acceptReport(report: Report): void {
    // A node may report before its resource is known, but not everybody who invents a name.
    const isStranger = !this.#reports.has(report.node) && !this.has(report.node);
    if (isStranger && this.#reports.size >= this.#view.list('Node').length + STRANGERS) return;
    this.#reports.set(report.node, withReport(this.#reports.get(report.node), report));
    this.#wake(report.node);
  }

  acceptEvent(event: FeedEvent): void {
    this.#view.apply(event);
    if (!this.#view.inSync) return;
    if (this.#view.takeChangedKinds().has('Node')) this.#forgetRemovedNodes();
    if (event.kind === 'in-sync' || this.#touchesNodes(event)) this.#wake(undefined);
  }

  /** Calls back with the node of every change (undefined: the list of nodes); the answer ends that. */
  onChange(callback: (node: string | undefined) => void): () => void {
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  #touchesNodes(event: FeedEvent): boolean {
    return (
      (event.kind === 'put' && event.resource.kind === 'Node') ||
      (event.kind === 'removed' && event.key.kind === 'Node')
    );
  }

  #forgetRemovedNodes(): void {
    const nodes = new Set(this.nodes);
    for (const node of this.#reports.keys()) if (!nodes.has(node)) this.#reports.delete(node);
  }

  #wake(node: string | undefined): void {
    for (const callback of this.#waiting) callback(node);
  }
}
