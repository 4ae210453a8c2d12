/** What takes longest of loading this package: loaded one by one before, each holds the event loop for less. */
export const rpcLibraries: readonly (() => Promise<unknown>)[] = [
  () => import('@bufbuild/protobuf/wire'),
  () => import('@bufbuild/protobuf/codegenv2'),
  () => import('@bufbuild/protobuf/wkt'),
  () => import('@bufbuild/protobuf'),
  () => import('@grpc/grpc-js'),
];
