// A handle as etcd holds it: how many addresses of which blocks belong to one owner, and who that is.
import { formatPrefix, type Prefix, parsePrefix } from '@calico/ip';
import { IpamError } from '../ipam_error.ts';
import { formatJson, parseJson } from './lossless_json.ts';

export type Handle = {
  readonly handleId: string;
  /** By CIDR text of the block: number of addresses, at least 1. */
  readonly blocks: ReadonlyMap<string, number>;
  readonly rest: Readonly<Record<string, unknown>>;
};

/**
 * The workload that has the addresses. Its WorkloadEndpoint is written later, when its policy is in the
 * kernel; until then this alone says whose they are.
 */
export type HandleOwner = {
  readonly node: string;
  readonly namespace: string;
  /** Name of its WorkloadEndpoint. */
  readonly endpoint: string;
  readonly containerId: string;
  /** RFC 3339. */
  readonly assignedAt: string;
};

/** A handle to be stored: its text is made when it is needed, and it need not be read again. */
export class HandleContent {
  readonly handle: Handle;
  #text: string | undefined;

  constructor(handle: Handle) {
    this.handle = handle;
  }

  get text(): string {
    this.#text ??= formatHandle(this.handle);
    return this.#text;
  }
}

/** Ours alone, beside upstream's fields. */
const OWNER_FIELD = 'owner';

export function newHandle(handleId: string): Handle {
  return { handleId, blocks: new Map(), rest: {} };
}

/** @throws IpamError 'damaged' when the text is not a handle */
export function parseHandle(key: string, handleId: string, text: string): Handle {
  try {
    const { block, ...rest } = parseJson(text) as Record<string, unknown>;
    const counts = Object.entries((block ?? {}) as Record<string, unknown>);
    return {
      handleId,
      blocks: new Map(
        counts.map(([cidr, count]) => [formatPrefix(parsePrefix(cidr)), Number(count)]),
      ),
      rest,
    };
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new IpamError('damaged', `Cannot read handle "${key}": ${detail}`, { cause });
  }
}

function formatHandle(handle: Handle): string {
  return formatJson({
    ...handle.rest,
    handleID: handle.handleId,
    block: Object.fromEntries(handle.blocks),
    deleted: false,
  });
}

/** Undefined: another writer made it, or it is a node's. */
export function ownerOfHandle({ rest }: Handle): HandleOwner | undefined {
  const found = rest[OWNER_FIELD];
  if (typeof found !== 'object' || found === null) return undefined;
  const fields = found as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  return {
    node: text('node'),
    namespace: text('namespace'),
    endpoint: text('endpoint'),
    containerId: text('containerID'),
    assignedAt: text('assignedAt'),
  };
}

/** The handle with its owner; one that has an owner keeps it. */
export function withOwner(handle: Handle, owner: HandleOwner): Handle {
  if (handle.rest[OWNER_FIELD] !== undefined) return handle;
  const { containerId, ...others } = owner;
  return {
    ...handle,
    rest: { ...handle.rest, [OWNER_FIELD]: { ...others, containerID: containerId } },
  };
}

/** The handle with exactly `count` addresses in the block. */
export function withCount(handle: Handle, cidr: Prefix, count: number): Handle {
  const blocks = new Map(handle.blocks);
  if (count > 0) blocks.set(formatPrefix(cidr), count);
  else blocks.delete(formatPrefix(cidr));
  return { ...handle, blocks };
}

/** The blocks that the handle names. */
export function handleBlocks(handle: Handle): Prefix[] {
  return [...handle.blocks.keys()].map((cidr) => parsePrefix(cidr));
}
