// Which kernel features are missing, found out by trying, once somebody needs them.
import type { Clock } from '@calico/clock';
import type { IPPool } from '@calico/model';
import type { Kernel } from '../ports.ts';
import { type Feature, type MissingFeatures, poolRefusal, usesIpip, usesVxlan } from './pools.ts';

/** A missing module may be loaded later. */
const RETRY_MS = 60_000;

export class FeatureProbe {
  readonly #kernel: Pick<Kernel, 'probe'>;
  readonly #clock: Clock;
  readonly #present = new Set<Feature>();
  readonly #missing = new Map<Feature, { readonly reason: string; readonly at: number }>();

  constructor(kernel: Pick<Kernel, 'probe'>, clock: Clock) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /** Features that these pools need and the kernel lacks. */
  missingFor(pools: readonly IPPool[]): MissingFeatures {
    const result = new Map<Feature, string>();
    const needed: Feature[] = [];
    if (pools.some(usesIpip)) needed.push('ipip');
    if (pools.some(usesVxlan)) needed.push('vxlan');
    for (const feature of needed) {
      const reason = this.#reason(feature);
      if (reason !== undefined) result.set(feature, reason);
    }
    return result;
  }

  refusalOf(pool: IPPool): string | undefined {
    return poolRefusal(pool, this.missingFor([pool]));
  }

  #reason(feature: Feature): string | undefined {
    if (this.#present.has(feature)) return undefined;
    const known = this.#missing.get(feature);
    const now = this.#clock.monotonic();
    if (known !== undefined && now - known.at < RETRY_MS) return known.reason;
    const reason = this.#kernel.probe(feature);
    if (reason === undefined) {
      this.#present.add(feature);
      this.#missing.delete(feature);
    } else {
      this.#missing.set(feature, { reason, at: now });
    }
    return reason;
  }
}
