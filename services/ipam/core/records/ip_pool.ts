// What address management needs of an IPPool resource.
import { type Address, type Prefix, parsePrefix, prefixContains } from '@calico/ip';
import { IpamError } from '../ipam_error.ts';
import { parseJson } from './lossless_json.ts';

export type Use = 'Workload' | 'Tunnel' | 'LoadBalancer';

export type IpPool = {
  readonly name: string;
  readonly cidr: Prefix;
  /** Prefix length of the pool's blocks. */
  readonly blockSize: number;
  readonly nodeSelector: string;
  /** Undefined: every namespace. */
  readonly namespaceSelector: string | undefined;
  readonly allowedUses: readonly string[];
  readonly encapsulation: 'ipip' | 'vxlan' | undefined;
  /** Also while the pool is being deleted. */
  readonly disabled: boolean;
  /** False: only used when a request names it. */
  readonly automatic: boolean;
};

/** @throws IpamError 'damaged' when the text is no IPPool */
export function parsePool(key: string, json: string): IpPool {
  try {
    const { metadata = {}, spec = {} } = parseJson(json) as {
      metadata?: Record<string, unknown>;
      spec?: Record<string, unknown>;
    };
    const cidr = parsePrefix(String(spec['cidr']));
    const blockSize = Number(spec['blockSize'] || (cidr.family === 4 ? 26 : 122));
    const [shortest, longest] = cidr.family === 4 ? [20, 32] : [116, 128];
    if (!(blockSize >= Math.max(shortest, cidr.length) && blockSize <= longest)) {
      throw new TypeError(
        `blockSize ${blockSize}: expected ${Math.max(shortest, cidr.length)} to ${longest}`,
      );
    }
    const uses = spec['allowedUses'];
    return {
      name: key.slice(key.lastIndexOf('/') + 1),
      cidr,
      blockSize,
      nodeSelector: text(spec['nodeSelector']) ?? 'all()',
      namespaceSelector: text(spec['namespaceSelector']),
      allowedUses:
        Array.isArray(uses) && uses.length > 0 ? uses.map(String) : ['Workload', 'Tunnel'],
      encapsulation: isOn(spec['ipipMode'])
        ? 'ipip'
        : isOn(spec['vxlanMode'])
          ? 'vxlan'
          : undefined,
      disabled: spec['disabled'] === true || metadata['deletionTimestamp'] != null,
      automatic: spec['assignmentMode'] !== 'Manual',
    };
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new IpamError('damaged', `Cannot read IPPool "${key}": ${detail}`, { cause });
  }
}

function isOn(mode: unknown): boolean {
  return mode === 'Always' || mode === 'CrossSubnet';
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The pool that holds the address or block. Pools do not overlap. */
export function poolOf<P extends IpPool>(
  pools: readonly P[],
  inner: Address | Prefix,
): P | undefined {
  return pools.find((pool) => prefixContains(pool.cidr, inner));
}
