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
import { grpcMethod, grpcService, type Undecodable } from './service_definition.ts';

export type CallContext = {
  readonly peer: string;
  /** Aborts when the caller cancels, its deadline passes, or (streams) when the server stops. */
  readonly signal: AbortSignal;
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
  on(event: 'cancelled', listener: () => void): unknown;
};

export function addService<S extends DescService>(
  server: Server,
  service: S,
  handlers: ServiceHandlers<S>,
  options: HandlerOptions = {},
): void {
  const implementation: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    const { path } = grpcMethod(method);
    const handler = (handlers as Record<string, unknown>)[method.localName];
    const failed = (cause: unknown): { code: number; details: string } => {
      if (!(cause instanceof RpcError)) {
        options.logger?.error('call failed', { method: path, error: cause });
      }
      return toGrpcStatus(cause);
    };
    if (method.methodKind === 'unary') {
      implementation[method.localName] = (
        call: ServerUnaryCall<Message, Message>,
        done: sendUnaryData<Message>,
      ) => {
        const run = async (): Promise<Message> => {
          const init = await (handler as Unary)(decoded(call.request), contextOf(call));
          return create(method.output, init);
        };
        callTracing()
          .incoming(path, carrierOf(call), run)
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
          .incoming(path, carrierOf(call), run)
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
  return { peer: call.getPeer(), signal };
}

function carrierOf(call: AnyCall): Record<string, string> {
  const carrier: Record<string, string> = {};
  for (const name of TRACE_HEADERS) {
    const [value] = call.metadata.get(name);
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
