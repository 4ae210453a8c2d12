// Typed handlers on a grpc-js server: the only place that knows grpc-js' call objects.
import {
  create,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type {
  Metadata,
  Server,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { callTracing, TRACE_HEADERS } from './call_tracing.ts';
import { RpcError, toGrpcStatus } from './errors.ts';
import type { UnaryRoute } from './served_call.ts';
import { grpcMethod, grpcService, type Undecodable } from './service_definition.ts';

export type CallContext = {
  readonly peer: string;
  /** Aborts when the caller cancels, its deadline passes, or (streams) when the server stops. */
  readonly signal: AbortSignal;
  /** `performance.now()` when the caller stops waiting; undefined: it never does. */
  readonly deadline?: number | undefined;
};

/** Handlers of a service. Throw RpcError to answer an error; anything else is logged as our fault. */
export type ServiceHandlers<S extends DescService> = {
  [K in keyof S['method']]: S['method'][K] extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>>
    : S['method'][K] extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
      : never;
};

/** What the rest of this package needs of a logger. */
export type RpcLogger = {
  info(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
};

export type HandlerOptions = {
  readonly logger?: RpcLogger | undefined;
  /** Ends open streams with UNAVAILABLE. */
  readonly stopping?: AbortSignal | undefined;
};

type Init = Record<string, unknown>;
type Unary = (request: Message, context: CallContext) => Promise<Init>;
type Streaming = (request: Message, context: CallContext) => AsyncIterable<Init>;
type AnyCall = {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
};

/** Adds the service to the server, and answers the short ways (by path) to its unary methods. */
export function addService<S extends DescService>(
  server: Server,
  service: S,
  handlers: ServiceHandlers<S>,
  options: HandlerOptions = {},
): Map<string, UnaryRoute> {
  const routes = new Map<string, UnaryRoute>();
  const implementation: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    const { path, requestDeserialize, responseSerialize } = grpcMethod(method);
    const handler = (handlers as Record<string, unknown>)[method.localName];
    const report = (cause: unknown): void => {
      if (cause instanceof RpcError) return;
      options.logger?.error('call failed', { method: path, error: cause });
    };
    const failed = (cause: unknown): { code: number; details: string } => {
      report(cause);
      return toGrpcStatus(cause);
    };
    if (method.methodKind === 'unary') {
      const answer = async (request: Message, context: CallContext): Promise<Message> =>
        create(method.output, await (handler as Unary)(request, context));
      routes.set(path, async (bytes, call) => {
        const carrier = carrierOf((name) => call.headers[name]);
        try {
          return await callTracing().incoming(path, carrier, async () =>
            responseSerialize(await answer(decode(bytes, requestDeserialize), call)),
          );
        } catch (cause) {
          report(cause);
          throw cause;
        }
      });
      implementation[method.localName] = (
        call: ServerUnaryCall<Message, Message>,
        done: sendUnaryData<Message>,
      ) => {
        const run = () => answer(decoded(call.request), contextOf(call));
        callTracing()
          .incoming(
            path,
            carrierOf((name) => call.metadata.get(name)[0]),
            run,
          )
          .then(
            (reply) => done(null, reply),
            (cause: unknown) => done(failed(cause)),
          );
      };
    } else {
      implementation[method.localName] = (call: ServerWritableStream<Message, Message>) => {
        const context = contextOf(call, options.stopping);
        const run = async (): Promise<void> => {
          const replies = (handler as Streaming)(decoded(call.request), context);
          for await (const init of replies) {
            if (context.signal.aborted) break;
            if (!call.write(create(method.output, init))) await drained(call, context.signal);
          }
          if (options.stopping?.aborted) throw stoppingError();
        };
        callTracing()
          .incoming(
            path,
            carrierOf((name) => call.metadata.get(name)[0]),
            run,
          )
          .then(
            () => call.end(),
            (cause: unknown) => {
              if (call.cancelled) return;
              call.emit('error', failed(options.stopping?.aborted ? stoppingError() : cause));
            },
          );
      };
    }
  }
  server.addService(grpcService(service), implementation);
  return routes;
}

function decode(bytes: Uint8Array, read: (bytes: Buffer) => Message): Message {
  try {
    return read(bytes as Buffer);
  } catch (cause) {
    return decoded({ undecodable: cause as Error });
  }
}

function decoded(request: Message | Undecodable): Message {
  if (!('undecodable' in request)) return request;
  throw new RpcError('INVALID_ARGUMENT', `Cannot read request: ${request.undecodable.message}`, {
    cause: request.undecodable,
  });
}

function stoppingError(): RpcError {
  return new RpcError('UNAVAILABLE', 'Cannot continue the stream: the server is stopping');
}

// Made once: every call ends with this event, and a new error records the stack.
const CANCELLED = new DOMException('This operation was aborted', 'AbortError');

function contextOf(call: AnyCall, stopping?: AbortSignal): CallContext {
  const controller = new AbortController();
  if (call.cancelled) controller.abort(CANCELLED);
  call.on('cancelled', () => controller.abort(CANCELLED));
  const signal = stopping ? AbortSignal.any([controller.signal, stopping]) : controller.signal;
  const left = Number(call.getDeadline()) - Date.now();
  const deadline = Number.isFinite(left) ? performance.now() + left : undefined;
  return { peer: call.getPeer(), signal, deadline };
}

function carrierOf(header: (name: string) => unknown): Record<string, string> {
  const carrier: Record<string, string> = {};
  for (const name of TRACE_HEADERS) {
    const value = header(name);
    if (typeof value === 'string') carrier[name] = value;
  }
  return carrier;
}

function drained(call: ServerWritableStream<Message, Message>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
