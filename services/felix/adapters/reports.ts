// Reports to the bus; only what has changed is sent, the bus repeats the rest as a heartbeat.
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Bus } from '@calico/bus';
import { EndpointState } from '@calico/proto/events/v1/events';
import { EndpointParts } from '../core/endpoint_parts.ts';
import type { Reporter, StateReport } from '../ports.ts';

const COMPONENT = 'felix';
const STATES = {
  up: EndpointState.UP,
  down: EndpointState.DOWN,
  error: EndpointState.ERROR,
} as const;

export class BusReporter implements Reporter {
  readonly #bus: Pick<Bus, 'report'>;
  readonly #node: string;
  readonly #version: string;
  readonly #started: number;
  readonly #sent = new Map<string, string>();
  readonly #parts = new EndpointParts();
  #endpoints: StateReport['endpoints'] | undefined;

  constructor(parts: {
    readonly bus: Pick<Bus, 'report'>;
    readonly node: string;
    readonly version: string;
    /** Start of the process, milliseconds since the Unix epoch. */
    readonly started: number;
  }) {
    this.#bus = parts.bus;
    this.#node = parts.node;
    this.#version = parts.version;
    this.#started = parts.started;
  }

  report(state: StateReport): void {
    const { inSync, appliedRevision: revision, endpoints, ready, messages } = state;
    if (this.#isNew('applied', [inSync, String(revision)])) {
      this.#bus.report(this.#node, 'applied', { component: COMPONENT, revision, inSync });
    }
    // The same array holds the same.
    if (endpoints !== this.#endpoints) this.#reportEndpoints(endpoints);
    this.#endpoints = endpoints;
    if (this.#isNew('health', [ready, messages])) {
      this.#bus.report(this.#node, 'health', {
        component: COMPONENT,
        ready,
        messages: [...messages],
        version: this.#version,
        started: timestampFromMs(this.#started),
      });
    }
  }

  #reportEndpoints(all: StateReport['endpoints']): void {
    for (const { part, parts, endpoints } of this.#parts.changes(all)) {
      this.#bus.report(this.#node, 'endpoints', {
        part,
        parts,
        endpoints: endpoints.map((endpoint) => ({
          ...endpoint,
          addresses: [...endpoint.addresses],
          state: STATES[endpoint.state],
        })),
      });
    }
  }

  #isNew(topic: string, value: unknown): boolean {
    const text = JSON.stringify(value);
    if (this.#sent.get(topic) === text) return false;
    this.#sent.set(topic, text);
    return true;
  }
}
