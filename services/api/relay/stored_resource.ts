// What etcd's keys and values mean as v3 resources. Blocks and affinities live under IPAM's own keys.
import { formatPrefix } from '@calico/ip';
import {
  type AnyResource,
  blockAffinityName,
  ipamBlockName,
  parseIpamPath,
  parseResourcePath,
  parseStored,
  type ResourceKey,
  ValidationError,
} from '@calico/model';

/** The resource that lies at an etcd key; undefined when none does. */
export function resourceKeyAt(path: string): ResourceKey | undefined {
  const key = parseResourcePath(path);
  if (key !== undefined) return key;
  const ipam = parseIpamPath(path);
  if (ipam === undefined || ipam.kind === 'handle') return undefined;
  if (ipam.kind === 'block') {
    return { kind: 'IPAMBlock', namespace: '', name: ipamBlockName(ipam.cidr) };
  }
  if (ipam.owner.type !== 'host') return undefined;
  const name = blockAffinityName(ipam.owner.name, ipam.cidr);
  return { kind: 'BlockAffinity', namespace: '', name };
}

/**
 * The document at an etcd key, as any writer left it, with the revision as its resourceVersion.
 * @throws ValidationError when the value is no such document
 */
export function resourceAt(
  path: string,
  key: ResourceKey,
  value: string,
  modRevision: bigint,
): AnyResource {
  const document = documentAt(path, key, value);
  const resource = parseStored(key.kind, JSON.stringify(document));
  const { name, namespace } = key;
  const metadata = {
    ...resource.metadata,
    name,
    ...(namespace === '' ? {} : { namespace }),
    resourceVersion: String(modRevision),
  };
  return { ...resource, metadata };
}

function documentAt(path: string, key: ResourceKey, value: string): object {
  const ipam = parseIpamPath(path);
  const metadata = { name: key.name };
  if (ipam?.kind === 'block') return { metadata, spec: parseObject(key, value) };
  if (ipam?.kind !== 'affinity') return withName(key, parseObject(key, value));
  // An empty value is upstream's old way to say "confirmed".
  const { state, deleted } = value === '' ? {} : parseObject(key, value);
  const { name, type } = ipam.owner;
  const spec = {
    node: name,
    type,
    cidr: formatPrefix(ipam.cidr),
    ...(state === undefined ? {} : { state }),
    ...(deleted === undefined ? {} : { deleted }),
  };
  return { metadata, spec };
}

/** A document may leave out what its key says. */
function withName(key: ResourceKey, document: Record<string, unknown>): object {
  const { metadata } = document;
  const given = typeof metadata === 'object' && metadata !== null ? metadata : {};
  return { ...document, metadata: { ...given, name: key.name } };
}

function parseObject({ kind, name }: ResourceKey, value: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (cause) {
    throw notJson(kind, name, cause instanceof Error ? cause.message : String(cause));
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw notJson(kind, name, 'not an object');
  }
  return parsed as Record<string, unknown>;
}

function notJson(kind: string, name: string, message: string): ValidationError {
  return new ValidationError(`${kind} "${name}"`, [
    { field: 'document', value: undefined, message: `is not a JSON object: ${message}` },
  ]);
}
