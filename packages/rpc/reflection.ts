// grpc.reflection.v1 and v1alpha: lets grpcurl and the like ask for the contracts.
import { createRequire } from 'node:module';
import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';
import { addDeferredService } from './deferred_service.ts';

const require = createRequire(import.meta.url);

const METHODS = { ServerReflectionInfo: 'bidi_streaming' } as const;

export function addReflection(server: Server, services: readonly DescService[]): void {
  for (const version of ['v1', 'v1alpha']) {
    const name = `grpc.reflection.${version}.ServerReflection`;
    addDeferredService(server, name, METHODS, (target) => reflect(target, services));
  }
}

function reflect(server: Server, services: readonly DescService[]): void {
  const { ReflectionService } = require('@grpc/reflection') as typeof import('@grpc/reflection');
  const files = new Map<string, DescFile>();
  for (const service of services) collect(service.file, files);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  // Only the files are read; an enum's definition is the kind that needs nothing else.
  const format = 'Protocol Buffer 3 EnumDescriptorProto';
  const definition = { format, type: {}, fileDescriptorProtos } as const;
  const reflection = new ReflectionService(
    { files: definition },
    { services: services.map(({ typeName }) => typeName) },
  );
  reflection.addToServer(server);
}

function collect(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.proto.name)) return;
  files.set(file.proto.name, file);
  for (const dependency of file.dependencies) collect(dependency, files);
}
