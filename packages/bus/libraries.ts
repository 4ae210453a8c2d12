/** What takes longest of loading this package: loaded one by one before, each holds the event loop for less. */
export const busLibraries: readonly (() => Promise<unknown>)[] = [
  () => import('@nats-io/transport-node'),
  () => import('@nats-io/jetstream'),
];
