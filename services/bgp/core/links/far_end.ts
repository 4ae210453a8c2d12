// Who is at the far end of a link between two routers. Both ends advertise themselves (RFC 4861 section 6.2);
// what they advertise from is where a session goes to.
//
//        start ──▶ solicitation, advertisement, again after 3 and 6 s, then every 7.5 to 10 s
//                          │
//   nobody ──advertisement─┴▶ a router ──another advertises──▶ both are asked; who stays silent for 5 s
//      └──one neighbour in the kernel's table──▶ guess           has another address now
import type { CancelTimer, Clock } from '@calico/clock';
import { type Address, formatAddress, isLinkLocal, sameAddress } from '@calico/ip';
import type { RouterMessage } from './router_messages.ts';

/** As FRR's for peers without addresses; the RFC's default of ten minutes is for hosts. */
const INTERVAL_MS = 10_000;
const INTERVAL_JITTER = 0.25;
/** So many advertisements go out as fast as may be, for a far end that starts at the same time. */
const EAGER_ADVERTISEMENTS = 3;
/** MIN_DELAY_BETWEEN_RAS of section 10: all advertisements go to everybody. */
const LEAST_INTERVAL_MS = 3_000;
/** MAX_RA_DELAY_TIME of section 10. */
const ANSWER_DELAY_MS = 500;
/** By then a router that was asked has answered, though it has just advertised itself. */
const PROBE_MS = 5_000;
/** A second router that has not advertised itself for so long may have gone. */
const ABSENCE_MS = 2 * INTERVAL_MS;

export type FarEndParts = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** To all on the link. */
  readonly send: (message: RouterMessage) => void;
  /** Addresses of neighbours on the link that the kernel knows. */
  readonly known: () => readonly Address[];
  /** Another address, or another problem. */
  readonly onChange: () => void;
};

export class FarEnd {
  readonly #parts: FarEndParts;
  #router: Address | undefined;
  /** Taken from the kernel's table: the first router that advertises itself takes its place. */
  #guess: Address | undefined;
  #rival: Address | undefined;
  /** Both have answered. */
  #isShared = false;
  #routerAnswered = false;
  #rivalAnswered = false;
  #advertised = 0;
  #isAnnounced = false;
  #advertisedAt = Number.NEGATIVE_INFINITY;
  #cancelAdvertising: CancelTimer = () => {};
  #cancelProbe: CancelTimer | undefined;
  #cancelReview: CancelTimer = () => {};

  constructor(parts: FarEndParts) {
    this.#parts = parts;
  }

  /** Undefined: nobody has been heard of yet. */
  get address(): Address | undefined {
    return this.#router ?? this.#guess;
  }

  /** What is wrong with the link, for people. */
  get problem(): string | undefined {
    if (!this.#isShared || this.#router === undefined || this.#rival === undefined)
      return undefined;
    const [router, rival] = [formatAddress(this.#router), formatAddress(this.#rival)];
    return `has two other routers: "${router}" is the peer, "${rival}" is not`;
  }

  start(): void {
    this.#parts.send('solicitation');
    this.#advertise();
  }

  stop(): void {
    this.#cancelAdvertising();
    this.#cancelProbe?.();
    this.#cancelReview();
  }

  /** A valid message from another sender on the link, which has come over no router. */
  heard(message: RouterMessage, from: Address): void {
    if (message === 'solicitation') return this.announce();
    // RFC 4861 section 6.1.2.
    if (!isLinkLocal(from)) return;
    if (this.#router === undefined) {
      const isNews = this.#guess === undefined || !sameAddress(this.#guess, from);
      this.#router = from;
      if (isNews) this.#parts.onChange();
    } else if (sameAddress(this.#router, from)) {
      this.#routerAnswered = true;
    } else {
      this.#probe(from);
    }
  }

  #probe(rival: Address): void {
    this.#rival = rival;
    if (this.#cancelProbe !== undefined) {
      this.#rivalAnswered = true;
      return;
    }
    this.#ask();
  }

  #ask(): void {
    this.#cancelReview();
    [this.#routerAnswered, this.#rivalAnswered] = [false, false];
    this.#parts.send('solicitation');
    this.#cancelProbe = this.#parts.clock.setTimer(PROBE_MS, () => this.#conclude());
  }

  #conclude(): void {
    this.#cancelProbe = undefined;
    const wasShared = this.#isShared;
    // Silence of both says nothing: one that comes and goes must not take the place of the peer.
    const isMoved = this.#rivalAnswered && !this.#routerAnswered;
    if (isMoved) this.#router = this.#rival;
    this.#isShared = this.#rivalAnswered && this.#routerAnswered;
    // Who has gone tells nobody.
    if (this.#isShared) {
      this.#cancelReview = this.#parts.clock.setTimer(ABSENCE_MS, () => this.#ask());
    }
    if (isMoved || wasShared !== this.#isShared) this.#parts.onChange();
  }

  /**
   * Advertises this end before it is due: somebody asks, or it has another address. At a random moment, so that
   * those who are asked do not answer all at once (section 6.2.6).
   */
  announce(): void {
    // The one that is due tells whoever asks until then.
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    const sinceMs = this.#parts.clock.monotonic() - this.#advertisedAt;
    const restMs = Math.max(0, LEAST_INTERVAL_MS - sinceMs);
    this.#advertiseIn(restMs + ANSWER_DELAY_MS * this.#parts.random());
  }

  #advertise(): void {
    this.#parts.send('advertisement');
    this.#isAnnounced = false;
    this.#advertised += 1;
    this.#advertisedAt = this.#parts.clock.monotonic();
    this.#look();
    const isEager = this.#advertised < EAGER_ADVERTISEMENTS;
    this.#advertiseIn(
      isEager ? LEAST_INTERVAL_MS : INTERVAL_MS * (1 - INTERVAL_JITTER * this.#parts.random()),
    );
  }

  #advertiseIn(delayMs: number): void {
    this.#cancelAdvertising();
    this.#cancelAdvertising = this.#parts.clock.setTimer(delayMs, () => this.#advertise());
  }

  /** A far end that advertises nothing has still been talked to, if it is a peer. */
  #look(): void {
    if (this.#router !== undefined) return;
    const [one, ...others] = this.#parts.known().filter(isLinkLocal);
    if (one === undefined || others.length > 0) return;
    if (this.#guess !== undefined && sameAddress(this.#guess, one)) return;
    this.#guess = one;
    this.#parts.onChange();
  }
}
