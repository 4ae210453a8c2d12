// Make before break for this node's own routes. Where blocks merge into a wider route, or a merged one
// falls apart, the new routes are told at once and the old ones that overlap with them a little later:
// no peer is without a way in between. While both are there the longer one wins everywhere. So it is with ranges of
// services: what is configured in place of one may be addresses, which are announced one by one some turns later.
import { formatPrefix, type Prefix, prefixContains } from '@calico/ip';
import type { ServiceRules } from '../services/service_rules.ts';
import type { OwnRoute, SpeakerConfig } from '../speaker/config.ts';

/** Longer than new routes take to every node, through two reflectors. */
const KEPT_MS = 5_000;

/** Of what has been derived. */
type Handed = { readonly speaker: SpeakerConfig; readonly serviceRules: ServiceRules };
type Kept = { readonly route: OwnRoute; readonly until: number };

export class Handover {
  #config: SpeakerConfig | undefined;
  readonly #kept = new Map<string, Kept>();

  /** @param now milliseconds of a clock that does not jump @returns the configuration to use now */
  configure({ speaker: next, serviceRules }: Handed, now: number): SpeakerConfig {
    const wanted = new Set(next.ownRoutes.map(({ prefix }) => formatPrefix(prefix)));
    for (const route of this.#config?.ownRoutes ?? []) {
      const text = formatPrefix(route.prefix);
      if (route.kind !== 'borrowed' && !wanted.has(text) && !this.#kept.has(text)) {
        this.#kept.set(text, { route, until: now + KEPT_MS });
      }
    }
    for (const [text, { route }] of this.#kept) {
      const isReplaced =
        route.kind === 'service'
          ? isReplacedRange(route.prefix, serviceRules)
          : next.ownRoutes.some(
              ({ kind, prefix }) => kind === 'block' && overlap(prefix, route.prefix),
            );
      if (wanted.has(text) || !isReplaced) this.#kept.delete(text);
    }
    this.#config = next;
    return this.#joined(next);
  }

  /** @returns the configuration when it is another one by now */
  review(now: number): SpeakerConfig | undefined {
    const over = [...this.#kept].filter(([, { until }]) => now >= until);
    for (const [text] of over) this.#kept.delete(text);
    return over.length === 0 || this.#config === undefined ? undefined : this.#joined(this.#config);
  }

  #joined(config: SpeakerConfig): SpeakerConfig {
    if (this.#kept.size === 0) return config;
    const kept = [...this.#kept.values()].map(({ route }) => route);
    return { ...config, ownRoutes: [...config.ownRoutes, ...kept] };
  }
}

/** A range that is configured, and that no node announces, is there for addresses inside of it. */
function isReplacedRange(range: Prefix, { isExcluded, ranges }: ServiceRules): boolean {
  if (isExcluded) return false;
  return Object.values(ranges).some((sort) => sort.some((each) => overlap(each, range)));
}

function overlap(a: Prefix, b: Prefix): boolean {
  return prefixContains(a, b) || prefixContains(b, a);
}
