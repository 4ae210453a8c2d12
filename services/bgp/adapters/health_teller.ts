import type { HealthRegistry } from '@calico/telemetry';
import type { Log, PeerStatus, Reporter } from '../ports.ts';

/** Problems that are named, one by one; there may be one for each of very many routes. */
const MOST_NAMED = 20;

/**
 * Says on this node too what the cluster is told: problems in the log, each when it begins and when it is over,
 * and in the readiness of this process; what peers refuse, or we of them, in the log.
 */
export class HealthTeller implements Reporter {
  readonly #next: Reporter;
  readonly #health: HealthRegistry;
  readonly #log: Log;
  #problems: ReadonlySet<string> = new Set();
  #peers: ReadonlyMap<string, PeerStatus> = new Map();

  /** @param next is told the same */
  constructor(next: Reporter, health: HealthRegistry, log: Log) {
    this.#next = next;
    this.#health = health;
    this.#log = log;
  }

  peers(peers: readonly PeerStatus[]): void {
    for (const { key: peer, state, refusal, lastLoss, remoteAsn } of peers) {
      if (refusal === '' || refusal === this.#peers.get(peer)?.refusal) continue;
      // The end of a session that was up is in the log already.
      if (refusal === lastLoss?.reason) continue;
      this.#log.warn('session refused', { peer, remoteAsn, state, reason: refusal });
    }
    this.#peers = new Map(peers.map((peer) => [peer.key, peer]));
    this.#next.peers(peers);
  }

  applied(revision: bigint, inSync: boolean): void {
    this.#next.applied(revision, inSync);
  }

  health(report: Parameters<Reporter['health']>[0]): void {
    const { ready, messages } = report;
    const named = few(messages);
    this.#health.report('speaker', { live: true, ready, detail: named.join('; ') });
    const problems = new Set(named);
    for (const problem of problems) {
      if (!this.#problems.has(problem)) this.#log.warn(problem);
    }
    for (const problem of this.#problems) {
      if (!problems.has(problem)) this.#log.info(`No longer: ${problem}`);
    }
    this.#problems = problems;
    this.#next.health(report);
  }
}

/** Those that are named, and how many are not. */
export function few(problems: readonly string[]): readonly string[] {
  if (problems.length <= MOST_NAMED) return problems;
  return [...problems.slice(0, MOST_NAMED), `and ${problems.length - MOST_NAMED} more`];
}
