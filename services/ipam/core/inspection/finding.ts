// One thing that a check has found.

export type FindingKind =
  | 'leaked-address'
  | 'outside-pools'
  | 'not-assigned'
  | 'leaked-handle'
  | 'missing-handle'
  | 'wrong-count'
  | 'invalid-block'
  | 'block-outside-pools'
  | 'wrong-affinity'
  | 'missing-affinity'
  | 'node-gone'
  | 'two-owners'
  | 'unreadable';

export type Finding = {
  readonly kind: FindingKind;
  /** An address, a handle, a CIDR, an etcd key or a node's name. */
  readonly subject: string;
  /** One sentence. */
  readonly message: string;
  /** Of the record at fault; 0n when there is none. */
  readonly revision: bigint;
};

export function finding(
  kind: FindingKind,
  subject: string,
  message: string,
  revision = 0n,
): Finding {
  return { kind, subject, message, revision };
}
