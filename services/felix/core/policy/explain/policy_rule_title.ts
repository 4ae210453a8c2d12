// Which rule of a policy a rule of the packet filter was for one packet: a look-up stands for many.
import type { Rule, Ruleset } from '../compiler/ruleset.ts';
import type { Packet } from '../evaluator/packet.ts';
import { titleFor } from '../evaluator/ruleset_evaluator.ts';

/**
 * `comment` as the kernel has it, which cuts it; `chain` undefined: any. The comment itself where it is no look-up's, and
 * where it is cut so that it may be that of several rules.
 */
export function policyRuleTitle(
  { chains, sets }: Ruleset,
  chain: string | undefined,
  comment: string,
  flow: Omit<Packet, 'inputInterface' | 'outputInterface' | 'state'>,
): string {
  if (!LOOKUP.test(comment)) return comment;
  const packet: Packet = { ...flow, inputInterface: '', outputInterface: '', state: 'new' };
  const searched = chain === undefined ? [...chains.values()] : [chains.get(chain)];
  const titles = new Set<string>();
  for (const rule of searched.flatMap((one) => one?.rules ?? [])) {
    if (!hasComment(rule, comment)) continue;
    const title = titleFor({ chains, sets }, rule, packet);
    if (title === undefined) continue;
    // Of two look-ups that both match, the packet has come to the first.
    if (!comment.endsWith(CUT)) return title;
    titles.add(title);
  }
  const [title = comment] = titles;
  return titles.size > 1 ? comment : title;
}

const CUT = '…';
/** Of a look-up, or cut before that could be seen. */
const LOOKUP = / (ingress|egress) rules \w+$|…$/u;

function hasComment({ comment }: Rule, seen: string): boolean {
  return seen.endsWith(CUT) ? comment.startsWith(seen.slice(0, -1)) : comment === seen;
}
