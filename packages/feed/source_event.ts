import type { AnyResource, ResourceKey } from '@calico/model';

/** What one source says, before it is put in order with what others said. */
export type SourceEvent =
  | {
      readonly kind: 'snapshot-start';
      /** The snapshot is at least as new as this etcd revision; 0n: not known. */
      readonly position: bigint;
      /** Identity of the etcd behind, where the source knows it. */
      readonly etcdClusterId?: string | undefined;
    }
  | { readonly kind: 'put'; readonly resource: AnyResource; readonly revision: bigint }
  | { readonly kind: 'removed'; readonly key: ResourceKey; readonly revision: bigint }
  | {
      readonly kind: 'in-sync';
      readonly revision: bigint;
      readonly etcdClusterId?: string | undefined;
    }
  | { readonly kind: 'lost'; readonly reason: string };
