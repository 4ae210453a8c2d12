// What selectors see: labels of endpoints and sets, those they inherit included.
import type {
  GlobalNetworkSet,
  HostEndpoint,
  NetworkSet,
  Profile,
  WorkloadEndpoint,
} from '@calico/model';
import type { Labels } from '@calico/selector';

export const NAMESPACE_LABEL = 'projectcalico.org/namespace';
const ORCHESTRATOR_LABEL = 'projectcalico.org/orchestrator';
export const SERVICE_ACCOUNT_LABEL = 'projectcalico.org/serviceaccount';
/** In front of a namespace's labels when its endpoints inherit them. */
export const NAMESPACE_PREFIX = 'pcns.';
/** In front of a service account's labels. */
export const SERVICE_ACCOUNT_PREFIX = 'pcsa.';

const NAMESPACE_PROFILE = 'kns.';
const SERVICE_ACCOUNT_PROFILE = 'ksa.';
/** Labels that a namespace lends, with its name. */
const LENT_NAME = `${NAMESPACE_PREFIX}projectcalico.org/name`;
const LENT_METADATA_NAME = `${NAMESPACE_PREFIX}kubernetes.io/metadata.name`;
/** The profile that allows all, without a resource. */
export const DEFAULT_ALLOW = 'projectcalico-default-allow';
const ALLOW_ALL = { ingress: [{ action: 'Allow' }], egress: [{ action: 'Allow' }] } as const;

export type ProfileSpec = Profile['spec'];
/** Undefined: there is no such profile, and an endpoint that names it is closed at that point. */
export type ProfileLookup = (name: string) => ProfileSpec | undefined;

/**
 * Profiles by name. Three kinds exist without a resource. `projectcalico-default-allow` is static. The
 * profiles of namespaces (`kns.<namespace>`) and service accounts (`ksa.<namespace>.<name>`) are made by
 * Kubernetes' controllers; where those do not run, a namespace allows all and lends its name as label, as the
 * controllers would have it, and a service account has no rules. Otherwise no pod of a cluster without
 * Kubernetes could be reached before somebody wrote a profile.
 */
export function profileLookup(profiles: readonly Profile[]): ProfileLookup {
  const book = new ProfileBook();
  book.change([], profiles);
  return book.lookup;
}

/** The same, while profiles come and go. */
export class ProfileBook {
  /** Of resources. Those that are implied are not kept: pods of ever new namespaces may name them. */
  readonly #stored = new Map<string, ProfileSpec>();

  readonly lookup: ProfileLookup = (name) => this.#stored.get(name) ?? impliedProfile(name);

  /** Answers the names of those that may be different now. */
  change(removed: readonly Profile[], added: readonly Profile[]): ReadonlySet<string> {
    for (const { metadata } of removed) this.#stored.delete(metadata.name);
    for (const { metadata, spec } of added) this.#stored.set(metadata.name, spec);
    return new Set([...removed, ...added].map(({ metadata }) => metadata.name));
  }
}

function impliedProfile(name: string): ProfileSpec | undefined {
  if (name === DEFAULT_ALLOW) return ALLOW_ALL;
  if (name.startsWith(SERVICE_ACCOUNT_PROFILE)) return {};
  if (!name.startsWith(NAMESPACE_PROFILE)) return undefined;
  const namespace = name.slice(NAMESPACE_PROFILE.length);
  const labelsToApply = {
    [LENT_NAME]: namespace,
    [LENT_METADATA_NAME]: namespace,
  };
  return { ...ALLOW_ALL, labelsToApply };
}

export function endpointLabels(
  { metadata, spec }: WorkloadEndpoint,
  profileOf: ProfileLookup,
): Labels {
  const { serviceAccountName } = spec;
  return {
    ...inherited(spec.profiles ?? [], profileOf),
    ...metadata.labels,
    [NAMESPACE_LABEL]: metadata.namespace ?? '',
    [ORCHESTRATOR_LABEL]: spec.orchestrator,
    ...(serviceAccountName === undefined ? {} : { [SERVICE_ACCOUNT_LABEL]: serviceAccountName }),
  };
}

export function hostEndpointLabels(
  { metadata, spec }: HostEndpoint,
  profileOf: ProfileLookup,
): Labels {
  return { ...inherited(spec.profiles ?? [], profileOf), ...metadata.labels };
}

export function networkSetLabels({ metadata }: NetworkSet, profileOf: ProfileLookup): Labels {
  const namespace = metadata.namespace ?? '';
  return {
    ...inherited([NAMESPACE_PROFILE + namespace], profileOf),
    ...metadata.labels,
    [NAMESPACE_LABEL]: namespace,
  };
}

export function globalNetworkSetLabels({ metadata }: GlobalNetworkSet): Labels {
  return metadata.labels ?? {};
}

/** Of two profiles that give the same label the first one counts. */
function inherited(profiles: readonly string[], profileOf: ProfileLookup): Labels {
  return Object.assign({}, ...profiles.toReversed().map((name) => profileOf(name)?.labelsToApply));
}
