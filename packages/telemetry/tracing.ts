// Spans of gRPC calls, exported over OTLP. Loaded only when an endpoint is configured.
import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

type Carrier = Record<string, string>;

/** Same shape as rpc's CallTracing: packages/process joins the two. */
export type Tracing = {
  outgoing<T>(path: string, carrier: Carrier, run: () => Promise<T>): Promise<T>;
  incoming<T>(path: string, carrier: Readonly<Carrier>, run: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
};

/** `processor`: where ended spans go. Default: OTLP/HTTP to OTEL_EXPORTER_OTLP_ENDPOINT. */
export async function startTracing(service: string, processor?: SpanProcessor): Promise<Tracing> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [processor ?? (await otlpProcessor())],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  const tracer = provider.getTracer('calico');
  return {
    outgoing: (path, carrier, run) =>
      tracer.startActiveSpan(path, { kind: SpanKind.CLIENT }, (span) => {
        propagation.inject(context.active(), carrier);
        return finish(span, run);
      }),
    incoming: (path, carrier, run) => {
      const parent = propagation.extract(ROOT_CONTEXT, carrier);
      return tracer.startActiveSpan(path, { kind: SpanKind.SERVER }, parent, (span) =>
        finish(span, run),
      );
    },
    stop: async () => {
      await provider.shutdown();
      trace.disable();
      propagation.disable();
      context.disable();
    },
  };
}

async function finish<T>(span: Span, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}

async function otlpProcessor(): Promise<SpanProcessor> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter() });
}
