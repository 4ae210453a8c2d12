/** What takes longest of loading this package: loaded one by one before, each holds the event loop for less. */
export const rpcLibraries: readonly (() => Promise<unknown>)[] = [
  () => import('@bufbuild/protobuf/wire'),
  () => import('@bufbuild/protobuf/codegenv2'),
  () => import('@bufbuild/protobuf/wkt'),
  () => import('@bufbuild/protobuf'),
  // An import of a built-in module asks for the values of all its names.
  () => Promise.resolve(process.getBuiltinModule('node:http2')),
  () => import('@grpc/grpc-js/build/src/subchannel.js'),
  () => import('@grpc/grpc-js'),
];
