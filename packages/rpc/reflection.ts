// grpc.reflection.v1 and v1alpha: lets grpcurl and the like ask for the contracts.
import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { Server } from '@grpc/grpc-js';

export async function addReflection(
  server: Server,
  services: readonly DescService[],
): Promise<void> {
  const { ReflectionService } = await import('@grpc/reflection');
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
