import { CeaseSubcode, cease } from '@calico/bgp-wire';
import type { Address } from '@calico/ip';
import type { KernelPort } from '../../ports.ts';
import type { Defer } from '../host/turns.ts';
import { Round } from '../kernel/round.ts';
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

/** Finds peers whose sessions are up though the kernel cannot reach them. */
export class LostWays {
  readonly #defer: Defer;
  readonly #review: (peer: string) => void;
  readonly #round: Round<string>;
  #isGoingOn = false;
  #isStopped = false;

  /** @param events.onLost is told the keys of such peers */
  constructor(
    speaker: Speaker,
    kernel: Pick<KernelPort, 'resolve' | 'isLocal'>,
    events: {
      readonly defer: Defer;
      /** Whether the kernel's answer says nothing, as of KernelSync. */
      readonly isHidden: (address: Address) => boolean;
      readonly onLost: (peer: string) => void;
    },
  ) {
    const { defer, isHidden, onLost } = events;
    this.#defer = defer;
    this.#round = new Round(() => [...speaker.peers.keys()]);
    this.#review = (key) => {
      const peer = speaker.peers.get(key);
      if (peer?.live === undefined) return;
      const { address, interface: name } = peer.config;
      if (kernel.resolve(address, name) !== undefined || isHidden(address)) return;
      // A speaker on this node, at another address of it.
      if (!kernel.isLocal(address)) onLost(key);
    };
  }

  /** The kernel may have no way to some any more. */
  look(): void {
    this.#round.begin();
    if (!this.#isGoingOn) this.#goOn();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #goOn(): void {
    this.#round.goOn(this.#review);
    if (!this.#round.isOpen) return;
    this.#isGoingOn = true;
    this.#defer(() => {
      this.#isGoingOn = false;
      if (!this.#isStopped) this.#goOn();
    });
  }
}
