// grpc.health.v1: says whether the server and each of its services are being served.
import { createRequire } from 'node:module';
import type { DescService } from '@bufbuild/protobuf';
import type { Server } from '@grpc/grpc-js';
import type { HealthImplementation } from 'grpc-health-check';
import { addDeferredService } from './deferred_service.ts';

const require = createRequire(import.meta.url);

const METHODS = { Check: 'unary', List: 'unary', Watch: 'server_streaming' } as const;

/** Answers what sets the state of all of them; at first nothing is served. */
export function addHealth(
  server: Server,
  services: readonly DescService[],
): (serving: boolean) => void {
  const names = ['', ...services.map(({ typeName }) => typeName)];
  let health: HealthImplementation | undefined;
  let status: 'SERVING' | 'NOT_SERVING' = 'NOT_SERVING';
  const tell = (): void => {
    for (const name of names) health?.setStatus(name, status);
  };
  addDeferredService(server, 'grpc.health.v1.Health', METHODS, (target) => {
    const library = require('grpc-health-check') as typeof import('grpc-health-check');
    health = new library.HealthImplementation();
    tell();
    health.addToServer(target);
  });
  return (serving) => {
    status = serving ? 'SERVING' : 'NOT_SERVING';
    tell();
  };
}
