// Trace context across calls, without a dependency on any tracing library: short-lived programs
// (the CNI plugin) pay nothing for it.

export interface CallTracing {
  /** Runs an outgoing call; `carrier` takes the headers that identify its span. */
  outgoing<T>(path: string, carrier: Record<string, string>, run: () => Promise<T>): Promise<T>;
  /** Runs the handler of an incoming call whose headers are in `carrier`. */
  incoming<T>(
    path: string,
    carrier: Readonly<Record<string, string>>,
    run: () => Promise<T>,
  ): Promise<T>;
}

const NO_TRACING: CallTracing = {
  outgoing: (_path, _carrier, run) => run(),
  incoming: (_path, _carrier, run) => run(),
};

// One per process, as the span that is active is: set once at start-up by packages/process.
let installed = NO_TRACING;

export function installCallTracing(tracing: CallTracing | undefined): void {
  installed = tracing ?? NO_TRACING;
}

export function callTracing(): CallTracing {
  return installed;
}

/** The headers that carry trace context (W3C). */
export const TRACE_HEADERS = ['traceparent', 'tracestate', 'baggage'] as const;
