// What lies in etcd, as v3 resources: documents as they are, IPAM's records as read-only resources.

import { formatPrefix } from '@calico/ip';
import {
  API_VERSION,
  blockAffinityName,
  ipamBlockName,
  type Kind,
  parseIpamPath,
  parseResourcePath,
  type ResourceKey,
} from '@calico/model';

type Fields = Readonly<Record<string, unknown>>;

export type StoredResource = {
  readonly key: ResourceKey;
  readonly revision: bigint;
  /** The v3 document with metadata.resourceVersion filled in. */
  readonly json: string;
};

/** What of etcd is a resource: every path under it is passed to `keyAt()`. */
export const WATCHED_ROOT = '/calico/';

/** The resource that a path stands for; undefined when it is none. */
export function keyAt(path: string): ResourceKey | undefined {
  const key = parseResourcePath(path);
  if (key !== undefined) return key;
  const ipam = parseIpamPath(path);
  switch (ipam?.kind) {
    case 'block':
      return { kind: 'IPAMBlock', namespace: '', name: ipamBlockName(ipam.cidr) };
    case 'affinity':
      return {
        kind: 'BlockAffinity',
        namespace: '',
        name: blockAffinityName(ipam.owner.name, ipam.cidr),
      };
    default:
      return undefined;
  }
}

/** The resource at a path; undefined when the path is none's or the value is not JSON. */
export function resourceAt(
  path: string,
  value: string,
  revision: bigint,
): StoredResource | undefined {
  const key = keyAt(path);
  if (key === undefined) return undefined;
  const document = documentAt(path, key, value);
  if (document === undefined) return undefined;
  const metadata = { ...fieldsOf(document['metadata']), resourceVersion: String(revision) };
  return { key, revision, json: JSON.stringify({ ...document, metadata }) };
}

function documentAt(path: string, key: ResourceKey, value: string): Fields | undefined {
  const ipam = parseIpamPath(path);
  // Upstream writes confirmed affinities of old as an empty value.
  const stored = value === '' && ipam?.kind === 'affinity' ? {} : parseFields(value);
  if (stored === undefined || ipam === undefined) return stored;
  const metadata = { name: key.name };
  if (ipam.kind === 'affinity') {
    const { state = 'confirmed', deleted } = stored;
    const spec = {
      node: ipam.owner.name,
      type: ipam.owner.type,
      cidr: formatPrefix(ipam.cidr),
      state: state === '' ? 'confirmed' : state,
      ...(deleted === undefined ? {} : { deleted }),
    };
    return { apiVersion: API_VERSION, kind: key.kind, metadata, spec };
  }
  return { apiVersion: API_VERSION, kind: key.kind, metadata, spec: stored };
}

/** True for the read-only kinds, whose paths their names do not tell. */
export function isMadeFromIpam(kind: Kind): boolean {
  return kind === 'IPAMBlock' || kind === 'BlockAffinity';
}

function parseFields(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return fieldsOrUndefined(value);
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Fields {
  return fieldsOrUndefined(value) ?? {};
}

function fieldsOrUndefined(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : undefined;
}
