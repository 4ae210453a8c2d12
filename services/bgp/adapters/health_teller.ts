import type { HealthRegistry } from '@calico/telemetry';
import type { HealthReport, Log, PeerStatus, Reporter } from '../ports.ts';
import { few, Problems } from './problems.ts';

/** What ends of a session refuse in turns. */
const MOST_REFUSALS = 4;

/**
 * Says on this node too what the cluster is told: problems in the log, each when it begins and when it is over,
 * and in the readiness of this process; what peers refuse, or we of them, in the log.
 */
export class HealthTeller implements Reporter {
  readonly #next: Reporter;
  readonly #health: HealthRegistry;
  readonly #log: Log;
  #problems = new Problems([]);
  /** By peer, what has been logged since it was established; the latest ones. */
  #refusals: ReadonlyMap<string, readonly string[]> = new Map();

  /** @param next is told the same */
  constructor(next: Reporter, health: HealthRegistry, log: Log) {
    this.#next = next;
    this.#health = health;
    this.#log = log;
  }

  peers(peers: readonly PeerStatus[]): void {
    const refusals = new Map<string, readonly string[]>();
    for (const peer of peers) {
      if (peer.state === 'Established') continue;
      const logged = this.#refusals.get(peer.key) ?? [];
      refusals.set(peer.key, this.#refused(peer, logged));
    }
    this.#refusals = refusals;
    this.#next.peers(peers);
  }

  applied(revision: bigint, inSync: boolean): void {
    this.#next.applied(revision, inSync);
  }

  health(report: HealthReport): void {
    const { ready, messages } = report;
    this.#health.report('speaker', { live: true, ready, detail: few(messages).join('; ') });
    const [problems, before, log] = [new Problems(messages), this.#problems, this.#log];
    for (const problem of problems.newSince(before)) log.warn(problem);
    for (const problem of problems.overSince(before)) log.info(`No longer: ${problem}`);
    this.#problems = problems;
    this.#next.health(report);
  }

  /** @returns what is logged now, as `logged` */
  #refused(peer: PeerStatus, logged: readonly string[]): readonly string[] {
    const { key, state, refusal, lastLoss, remoteAsn } = peer;
    if (refusal === '' || logged.includes(refusal)) return logged;
    // The end of a session that was up is in the log already.
    if (refusal === lastLoss?.reason) return logged;
    this.#log.warn('session refused', { peer: key, remoteAsn, state, reason: refusal });
    return [...logged, refusal].slice(-MOST_REFUSALS);
  }
}
