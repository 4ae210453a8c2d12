// Documents of Kubernetes as resources of projectcalico.org/v3, with upstream's names.
import type * as z from 'zod';
import {
  adminNetworkPolicySpec,
  baselineAdminNetworkPolicySpec,
  clusterNetworkPolicySpec,
  kubernetesNetworkPolicySpec,
} from '../kinds/kubernetes_policy.ts';
import { KINDS, type Kind } from '../kinds.ts';
import { metadataSchema } from '../metadata.ts';
import { withoutNulls } from '../nulls.ts';
import { parseResource } from '../parse.ts';
import { problemsOf } from '../problems.ts';
import { API_VERSION } from '../resource.ts';
import type { AnyResource } from '../resources.ts';
import { STRICT } from '../schema_style.ts';
import { type Problem, ValidationError } from '../validation_error.ts';
import {
  ADMIN_PREFIX,
  adminPolicySpecOf,
  BASELINE_PREFIX,
  baselinePolicySpecOf,
  CLUSTER_PREFIXES,
  clusterPolicySpecOf,
} from './cluster_policies.ts';
import { endpointSlice, endpointSliceSpecOf, isSliceOfNames } from './endpoint_slice.ts';
import { NETWORK_POLICY_PREFIX, networkPolicySpecOf } from './network_policy.ts';
import { namespaceProfile, serviceAccountProfile } from './profiles.ts';
import { serviceDocument, serviceOf } from './service.ts';

type Fields = Readonly<Record<string, unknown>>;
type Metadata = {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
};
type Converted = {
  readonly kind: Kind;
  readonly name: string;
  readonly labels?: Metadata['labels'];
  readonly spec: unknown;
  readonly status?: unknown;
};
type Conversion = (metadata: Metadata, spec: unknown, document: Fields) => Converted;

const SLICE = 'discovery.k8s.io/v1/EndpointSlice';
const POLICY_V1ALPHA1 = 'policy.networking.k8s.io/v1alpha1';

/** By "apiVersion/kind". */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  'networking.k8s.io/v1/NetworkPolicy': ({ name }, spec) => ({
    kind: 'NetworkPolicy',
    name: NETWORK_POLICY_PREFIX + name,
    spec: networkPolicySpecOf(read(kubernetesNetworkPolicySpec(STRICT), spec)),
  }),
  [`${POLICY_V1ALPHA1}/AdminNetworkPolicy`]: ({ name }, spec) => ({
    kind: 'GlobalNetworkPolicy',
    name: ADMIN_PREFIX + name,
    spec: adminPolicySpecOf(read(adminNetworkPolicySpec(STRICT), spec)),
  }),
  [`${POLICY_V1ALPHA1}/BaselineAdminNetworkPolicy`]: ({ name }, spec) => ({
    kind: 'GlobalNetworkPolicy',
    name: BASELINE_PREFIX + name,
    spec: baselinePolicySpecOf(read(baselineAdminNetworkPolicySpec(STRICT), spec)),
  }),
  'policy.networking.k8s.io/v1alpha2/ClusterNetworkPolicy': ({ name }, spec) => {
    const policy = read(clusterNetworkPolicySpec(STRICT), spec);
    return {
      kind: 'GlobalNetworkPolicy',
      name: CLUSTER_PREFIXES[policy.tier] + name,
      spec: clusterPolicySpecOf(policy),
    };
  },
  [SLICE]: ({ name, labels }, _, document) => ({
    kind: 'KubernetesEndpointSlice',
    name,
    labels,
    spec: endpointSliceSpecOf(read(endpointSlice, document, [])),
  }),
  'v1/Service': ({ name, labels }, _, document) => ({
    kind: 'KubernetesService',
    name,
    labels,
    ...serviceOf(read(serviceDocument, document, [])),
  }),
  'v1/Namespace': ({ name, labels = {} }) => ({
    kind: 'Profile',
    ...namespaceProfile(name, labels),
  }),
  'v1/ServiceAccount': ({ name, namespace = 'default', labels = {} }) => ({
    kind: 'Profile',
    ...serviceAccountProfile(namespace, name, labels),
  }),
};

/** Kinds of Kubernetes that `convertDocument` takes: "networking.k8s.io/v1 NetworkPolicy" … */
export const CONVERTIBLE: readonly string[] = Object.keys(CONVERSIONS).map((key) =>
  key.replace(/\/([^/]*)$/, ' $1'),
);

/** Whether the document is of a kind that has a counterpart in projectcalico.org/v3. */
export function isConvertible({ apiVersion, kind }: Fields): boolean {
  return Object.hasOwn(CONVERSIONS, keyOf(apiVersion, kind));
}

/** Why nothing comes of a document that nobody misses here, unlike one that is refused; undefined: it is to be converted. */
export function reasonToPassOver(document: Fields): string | undefined {
  const { apiVersion, kind } = document;
  if (keyOf(apiVersion, kind) !== SLICE || !isSliceOfNames(document)) return undefined;
  return 'its endpoints are host names (addressType "FQDN"), not addresses';
}

/**
 * The resource that does what a document of Kubernetes says. `namespace` is that of documents that name none.
 * @throws ValidationError with every problem; what has no counterpart (nodes and domain names as peers) is one
 */
export function convertDocument(input: Fields, namespace = 'default'): AnyResource {
  const document = withoutNulls(input) as Fields;
  const { apiVersion, kind } = document;
  const conversion = CONVERSIONS[keyOf(apiVersion, kind)];
  const object = objectText(document);
  if (conversion === undefined) {
    throw new ValidationError(object, [
      { field: 'kind', value: kind, message: `expected one of ${CONVERTIBLE.join(', ')}` },
    ]);
  }
  const problems: Problem[] = [];
  const metadata = metadataSchema(STRICT).safeParse(document['metadata'] ?? {}, REPORT);
  if (!metadata.success) {
    problems.push(...problemsOf(metadata.error.issues, ['metadata'], nothingKnown));
    throw new ValidationError(object, problems);
  }
  const own = { namespace, ...metadata.data };
  try {
    const converted = conversion(own, document['spec'] ?? {}, document);
    const { labels, status } = converted;
    return parseResource({
      apiVersion: API_VERSION,
      kind: converted.kind,
      metadata: {
        name: converted.name,
        ...(KINDS[converted.kind].namespaced ? { namespace: own.namespace } : {}),
        ...(labels === undefined ? {} : { labels }),
      },
      spec: converted.spec,
      ...(status === undefined ? {} : { status }),
    });
  } catch (cause) {
    if (cause instanceof SpecError) throw new ValidationError(object, cause.problems);
    throw cause;
  }
}

const REPORT = { reportInput: true } as const;

class SpecError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('Cannot read spec');
    this.problems = problems;
  }
}

function read<T>(schema: z.ZodType<T>, spec: unknown, path = ['spec']): T {
  const result = schema.safeParse(spec, REPORT);
  if (result.success) return result.data;
  throw new SpecError(problemsOf(result.error.issues, path, nothingKnown));
}

function nothingKnown(): readonly string[] {
  return [];
}

function keyOf(apiVersion: unknown, kind: unknown): string {
  return `${String(apiVersion)}/${String(kind)}`;
}

function objectText({ kind, metadata }: Fields): string {
  const { name, namespace } = (metadata ?? {}) as Fields;
  const prefix = typeof namespace === 'string' ? `${namespace}/` : '';
  return `${String(kind)} "${prefix}${typeof name === 'string' ? name : ''}"`;
}
