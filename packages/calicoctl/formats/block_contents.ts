// A block as the assignments that would make it.
import { formatAddress, parsePrefix } from '@calico/ip';
import type { IPAMBlock } from '@calico/model';

export type BlockContents = {
  /** The node that holds the block; undefined: none. */
  readonly node: string | undefined;
  readonly addresses: readonly HeldAddress[];
};

export type HeldAddress = {
  readonly address: string;
  /** Undefined: it was assigned without one. */
  readonly handleId: string | undefined;
  /** Where it is used: the block's node, unless it is borrowed; undefined: the block does not tell. */
  readonly node: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
};

/** What cools down after its release is left out. */
export function blockContents(spec: IPAMBlock['spec']): BlockContents {
  const cidr = parsePrefix(spec.cidr);
  const [, owner] = /^host:(.+)$/.exec(spec.affinity ?? '') ?? [];
  const addresses = spec.allocations.flatMap((index, ordinal) => {
    const held = index === null ? undefined : spec.attributes[index];
    if (held === undefined || held.releasedAt !== undefined) return [];
    const attributes = held.secondary ?? {};
    const address = formatAddress({ family: cidr.family, value: cidr.value + BigInt(ordinal) });
    const node = attributes['node'] ?? owner;
    return [{ address, handleId: held.handle_id, node, attributes }];
  });
  return { node: owner, addresses };
}
