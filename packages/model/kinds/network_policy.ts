import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { policyRule } from './policy_rule.ts';
import { selector } from './scalars.ts';

const MOST_RULES = 1024;

function policyFields(style: SchemaStyle) {
  const rules = z.array(policyRule(style)).max(MOST_RULES);
  return {
    tier: z.string().min(1).default('default'),
    /** Lower first; absent: last. */
    order: z.number().optional(),
    selector: selector.default('all()'),
    /** Directions that the policy decides; derived from its rules when not given. */
    types: z.array(z.enum(['Ingress', 'Egress'])).optional(),
    ingress: rules.optional(),
    egress: rules.optional(),
    serviceAccountSelector: selector.optional(),
    performanceHints: z.array(z.enum(['AssumeNeededOnEveryNode'])).optional(),
  };
}

function globalFields() {
  return {
    namespaceSelector: selector.optional(),
    doNotTrack: z.boolean().optional(),
    preDNAT: z.boolean().optional(),
    applyOnForward: z.boolean().optional(),
  };
}

const stagedAction = z.enum(['Set', 'Delete', 'Learn', 'Ignore']).default('Set');

const TYPES = [['types', 'ingress', 'egress'] as const, checkTypes] as const;
const SERVICES = [['ingress', 'egress'] as const, checkServices] as const;
const GLOBAL_SERVICES = [['ingress', 'egress'] as const, checkGlobalServices] as const;

export function networkPolicySpec(style: SchemaStyle) {
  return style.cross(style.object(policyFields(style)), TYPES, SERVICES);
}

export function globalNetworkPolicySpec(style: SchemaStyle) {
  const schema = style.object({ ...policyFields(style), ...globalFields() });
  return style.cross(schema, TYPES, SERVICES, GLOBAL_SERVICES, [
    ['doNotTrack', 'preDNAT', 'applyOnForward', 'egress', 'types'],
    checkHostRules,
  ]);
}

export function stagedNetworkPolicySpec(style: SchemaStyle) {
  const schema = style.object({ ...policyFields(style), stagedAction });
  return style.cross(schema, TYPES, SERVICES);
}

export function stagedGlobalNetworkPolicySpec(style: SchemaStyle) {
  const schema = style.object({ ...policyFields(style), ...globalFields(), stagedAction });
  return style.cross(schema, TYPES, SERVICES, GLOBAL_SERVICES);
}

type Direction = 'Ingress' | 'Egress';
type Directed = {
  types?: Direction[] | undefined;
  ingress?: readonly unknown[] | undefined;
  egress?: readonly unknown[] | undefined;
};

/** Ingress when there are ingress rules or no rules at all; egress when there are egress rules. */
export function completePolicy<S extends Directed>(spec: S): S & { types: Direction[] } {
  if (spec.types !== undefined && spec.types.length > 0) return { ...spec, types: spec.types };
  const hasEgress = (spec.egress?.length ?? 0) > 0;
  const hasIngress = (spec.ingress?.length ?? 0) > 0 || !hasEgress;
  const types: Direction[] = [];
  if (hasIngress) types.push('Ingress');
  if (hasEgress) types.push('Egress');
  return { ...spec, types };
}

function checkTypes(spec: Directed, report: Report): void {
  const { types } = spec;
  if (types === undefined || types.length === 0) return;
  if (new Set(types).size !== types.length) {
    report(['types'], types, 'expected each direction once');
  }
  for (const [field, type] of [
    ['ingress', 'Ingress'],
    ['egress', 'Egress'],
  ] as const) {
    if ((spec[field]?.length ?? 0) === 0 || types.includes(type)) continue;
    report(['types'], types, `expected "${type}" among them, since spec.${field} holds rules`);
  }
}

type Ruled = {
  ingress?: readonly PolicyRule[] | undefined;
  egress?: readonly PolicyRule[] | undefined;
};
type PolicyRule = z.output<ReturnType<typeof policyRule>>;

/** A service is the far end of a connection: what may come from it, or go to it. */
function checkServices(spec: Ruled, report: Report): void {
  for (const [direction, side] of [
    ['ingress', 'destination'],
    ['egress', 'source'],
  ] as const) {
    for (const [index, rule] of (spec[direction] ?? []).entries()) {
      const { services } = rule[side] ?? {};
      if (services === undefined) continue;
      const far = side === 'source' ? 'destination' : 'source';
      const message = `expected none: an ${direction} rule names services as ${far}`;
      report([direction, index, side, 'services'], undefined, message);
    }
  }
}

function checkGlobalServices(spec: Ruled, report: Report): void {
  for (const direction of ['ingress', 'egress'] as const) {
    for (const [index, rule] of (spec[direction] ?? []).entries()) {
      for (const side of ['source', 'destination'] as const) {
        const { services } = rule[side] ?? {};
        if (services === undefined || services.namespace !== undefined) continue;
        const path = [direction, index, side, 'services', 'namespace'];
        report(path, undefined, 'is required: a global policy is of no namespace');
      }
    }
  }
}

type HostFields = Directed & {
  doNotTrack?: boolean | undefined;
  preDNAT?: boolean | undefined;
  applyOnForward?: boolean | undefined;
};

function checkHostRules(spec: HostFields, report: Report): void {
  const { doNotTrack, preDNAT, applyOnForward } = spec;
  if (doNotTrack === true && preDNAT === true) {
    report(['preDNAT'], true, 'expected false when doNotTrack is true');
  }
  if ((doNotTrack === true || preDNAT === true) && applyOnForward !== true) {
    report(['applyOnForward'], applyOnForward, 'expected true with doNotTrack or preDNAT');
  }
  const hasEgress = (spec.egress?.length ?? 0) > 0 || spec.types?.includes('Egress') === true;
  if (preDNAT === true && hasEgress) {
    report(['preDNAT'], true, 'expected false in a policy with egress rules');
  }
}
