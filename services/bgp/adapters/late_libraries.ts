// Loads what is needed only after sessions have begun, a piece per turn of the event loop: in one go it
// would hold up keepalives and updates for longer than 50 ms.
import { setImmediate as turn } from 'node:timers/promises';
import { busLibraries } from '@calico/bus/libraries';
import { rpcLibraries } from '@calico/rpc/libraries';

const PIECES: readonly (() => Promise<unknown>)[] = [
  ...rpcLibraries,
  () => import('@calico/proto/bgp/v1/bgp'),
  () => import('@calico/proto/api/v1/resources'),
  ...busLibraries,
  () => import('@calico/rpc'),
  () => import('@calico/bus'),
];

export async function loadLateLibraries(): Promise<void> {
  for (const load of PIECES) {
    await turn();
    await load();
  }
  await turn();
}
