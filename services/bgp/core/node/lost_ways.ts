import { CeaseSubcode, cease } from '@calico/bgp-wire';
import type { KernelPort } from '../../ports.ts';
import type { SessionEvent } from '../session/session.ts';
import type { Speaker } from '../speaker/speaker.ts';

const RETRY_MS = 1_000;

/**
 * The kernel has no way to the peer any more: what it told is out of reach, whatever its hold timer says,
 * and nothing that it could have kept while it restarts would help.
 */
export const NO_WAY: SessionEvent = {
  kind: 'reset',
  notification: cease(CeaseSubcode.AdministrativeShutdown, 'no route to you'),
  reason: 'No route to the peer',
  restMs: RETRY_MS,
};

/** Keys of peers whose sessions are up though the kernel cannot reach them. */
export function peersWithoutWay(speaker: Speaker, kernel: KernelPort): string[] {
  return Array.from(speaker.peers.values())
    .filter(({ live }) => live !== undefined)
    .filter(({ config }) => kernel.resolve(config.address, config.interface) === undefined)
    .map(({ config }) => config.key);
}
