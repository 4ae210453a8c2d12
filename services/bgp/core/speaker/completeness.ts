// Whether everything has been heard that is waited for after a restart.
import type { PeerConfig, SpeakerConfig } from './config.ts';
import type { Peer } from './peer.ts';

type Known = {
  readonly config: SpeakerConfig | undefined;
  readonly peers: ReadonlyMap<string, Peer>;
};

/** Whether what peers inside of our AS, and those outside of it, are told is complete. */
export type Completeness = { readonly inside: boolean; readonly outside: boolean };

/** What has to be there before End-of-RIB is said. */
export class Completion {
  areExportsComplete = false;
  /** After a restart, until everybody has said everything. */
  isRecovering: boolean;
  #others: Completeness;

  constructor(isRestarted: boolean) {
    this.isRecovering = isRestarted;
    this.#others = { inside: !isRestarted, outside: !isRestarted };
  }

  /** @param isOverdue nobody is waited for any longer */
  review(known: Known, now: number, isOverdue: boolean): void {
    const isReady = this.areExportsComplete && areAllComplete(known, now);
    this.isRecovering = !isOverdue && !isReady;
    this.#others = this.isRecovering ? completenessOf(known, now) : { inside: true, outside: true };
  }

  /** @param isUnsettled there are prefixes to decide on */
  of(isUnsettled: boolean): Completeness {
    const isDone = this.areExportsComplete && !isUnsettled;
    const { inside, outside } = this.#others;
    return { inside: isDone && inside, outside: isDone && outside };
  }
}

/** Whether nobody is awaited whom we cannot speak to yet, and everybody is there and has said everything. */
export function areAllComplete({ config, peers }: Known, now: number): boolean {
  if (config === undefined || config.awaited?.length) return false;
  return [...peers.values()].every((peer) => peer.isComplete(now));
}

/**
 * RFC 4724 section 4.1: what is told of others is complete when they are. Outside that is of everybody; inside
 * of external peers, unless routes are reflected. Who restarts too and would wait for our End-of-RIB as we for
 * theirs is not waited for.
 */
function completenessOf({ config, peers }: Known, now: number): Completeness {
  if (config === undefined || config.awaited?.length) return { inside: false, outside: false };
  const isReflector = config.local.clusterId !== undefined;
  const missing = [...peers.values()].filter((peer) => {
    const waitsForUs = isReflector || isOutside(peer.config);
    return !peer.isComplete(now) && !(waitsForUs && isRestarting(peer));
  });
  return {
    inside: !missing.some(({ config: each }) => isReflector || isOutside(each)),
    outside: missing.length === 0,
  };
}

export function isOutside({ policy }: PeerConfig): boolean {
  return !policy.isInternal;
}

function isRestarting({ live }: Peer): boolean {
  return live?.negotiated.gracefulRestart?.isPeerRestarting === true;
}
