import { parsePrefix } from '@calico/ip';
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { community, routePriority } from './bgp_configuration.ts';
import { asNumber, integer, net, ofFamily, textThat } from './scalars.ts';

const interfacePattern = textThat((text) =>
  /^[a-zA-Z0-9_.*-]{1,15}$/.test(text) ? undefined : 'expected an interface name or a pattern',
);

function ruleFields(style: SchemaStyle, family: 4 | 6) {
  const operation = style.object({
    addCommunity: style.object({ value: community }).optional(),
    prependASPath: style.object({ prefix: z.array(asNumber(style)).min(1).max(10) }).optional(),
    setPriority: style.object({ value: routePriority }).optional(),
  });
  const length = integer(0, family === 4 ? 32 : 128);
  return style.object({
    cidr: ofFamily(family, net).optional(),
    matchOperator: z.enum(['Equal', 'NotEqual', 'In', 'NotIn']).optional(),
    prefixLength: style.object({ min: length.optional(), max: length.optional() }).optional(),
    source: z.enum(['RemotePeers']).optional(),
    interface: interfacePattern.optional(),
    peerType: z.enum(['eBGP', 'iBGP']).optional(),
    communities: style.object({ values: z.array(community).min(1).max(1) }).optional(),
    asPathPrefix: z.array(asNumber(style)).min(1).optional(),
    priority: routePriority.optional(),
    action: z.enum(['Accept', 'Reject']),
    operations: z
      .array(style.cross(operation, [[], checkOneOperation]))
      .min(1)
      .max(10)
      .optional(),
  });
}

type Rule = z.output<ReturnType<typeof ruleFields>>;

function filterRule(style: SchemaStyle, family: 4 | 6) {
  return style.cross(
    ruleFields(style, family),
    [['cidr', 'matchOperator', 'prefixLength'], checkMatch],
    [['action', 'operations'], checkOperations],
  );
}

export function bgpFilterSpec(style: SchemaStyle) {
  return style.object({
    exportV4: z.array(filterRule(style, 4)).optional(),
    importV4: z.array(filterRule(style, 4)).optional(),
    exportV6: z.array(filterRule(style, 6)).optional(),
    importV6: z.array(filterRule(style, 6)).optional(),
  });
}

function checkMatch({ cidr, matchOperator, prefixLength }: Rule, report: Report): void {
  if (cidr !== undefined && matchOperator === undefined) {
    const accepted = '"Equal", "NotEqual", "In" or "NotIn"';
    report(['matchOperator'], undefined, `is required with cidr: expected ${accepted}`);
  }
  if (cidr === undefined && matchOperator !== undefined) {
    report(['matchOperator'], matchOperator, 'expected none without cidr');
  }
  if (prefixLength === undefined) return;
  if (cidr === undefined) {
    report(['prefixLength'], prefixLength, 'expected none without cidr');
    return;
  }
  const low = prefixLength.min ?? parsePrefix(cidr, { hostBits: 'clear' }).length;
  if (prefixLength.max !== undefined && prefixLength.max < low) {
    report(['prefixLength', 'max'], prefixLength.max, `expected at least the minimum ${low}`);
  }
}

function checkOperations({ action, operations }: Rule, report: Report): void {
  if (operations !== undefined && action !== 'Accept') {
    report(['operations'], undefined, 'expected none unless the action is "Accept"');
  }
}

function checkOneOperation(operation: Record<string, unknown>, report: Report): void {
  const given = Object.values(operation).filter((value) => value !== undefined).length;
  if (given === 1) return;
  report([], undefined, 'expected exactly one of addCommunity, prependASPath, setPriority');
}
