// A service of someone else's library that is loaded by its first call: grpc.health.v1 and reflection
// parse their .proto files with a second protobuf library, a quarter of a service's start.
import type {
  handleBidiStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  Server,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';

export type DeferredMethod = 'unary' | 'server_streaming' | 'bidi_streaming';

/** What a library passes to `server.addService`. */
type Loaded = {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
};

type AnyMethod = MethodDefinition<unknown, unknown>;
type AnyHandler = handleUnaryCall<unknown, unknown> & handleBidiStreamingCall<unknown, unknown>;

/**
 * Adds service `typeName` with these methods. At its first call `addTo` is given a stand-in for the
 * server, and what it adds there answers.
 */
export function addDeferredService(
  server: Server,
  typeName: string,
  methods: Readonly<Record<string, DeferredMethod>>,
  addTo: (server: Server) => void,
): void {
  let loaded: Loaded | undefined;
  const load = (): Loaded => (loaded ??= capture(typeName, addTo));
  const definition: Record<string, AnyMethod> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [name, kind] of Object.entries(methods)) {
    const method = (): AnyMethod => load().definition[name] as AnyMethod;
    definition[name] = {
      path: `/${typeName}/${name}`,
      requestStream: kind === 'bidi_streaming',
      responseStream: kind !== 'unary',
      requestSerialize: (value) => method().requestSerialize(value),
      requestDeserialize: (bytes) => method().requestDeserialize(bytes),
      responseSerialize: (value) => method().responseSerialize(value),
      responseDeserialize: (bytes) => method().responseDeserialize(bytes),
    };
    const handle: AnyHandler = (...call: unknown[]) => {
      const handlers = load().implementation;
      const handler = handlers[name] ?? handlers[method().originalName ?? ''];
      (handler as (...call: unknown[]) => void)(...call);
    };
    implementation[name] = handle;
  }
  server.addService(definition, implementation);
}

function capture(typeName: string, addTo: (server: Server) => void): Loaded {
  const services: Loaded[] = [];
  const standIn: Pick<Server, 'addService'> = {
    addService: (definition, implementation) => services.push({ definition, implementation }),
  };
  addTo(standIn as Server);
  const found = services.find(({ definition }) =>
    Object.values(definition).some(({ path }) => path.startsWith(`/${typeName}/`)),
  );
  if (found === undefined) throw new TypeError(`Cannot load "${typeName}": its library adds none`);
  return found;
}
