// For tests that have to know which look-ups ask with an address under a mask.
import type { Ruleset } from '../compiler/ruleset.ts';

/** Names of the counter maps of blocks: a mask is on some field that they are asked with. */
export function maskedMaps({ chains }: Ruleset): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { rules } of chains.values()) {
    for (const one of rules.flatMap(({ statements }) => statements)) {
      if (one.kind !== 'counter-map') continue;
      if (one.fields.some((field) => field.includes(' & '))) names.add(one.map);
    }
  }
  return names;
}
