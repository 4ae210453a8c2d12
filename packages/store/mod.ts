export type { EtcdOptions, StoreLogger } from './etcd_client.ts';
export { openEtcd } from './etcd_store.ts';
export type { EtcdTls } from './etcd_tls.ts';
export { MemoryStore } from './memory_store.ts';
export * from './store.ts';
export { MAX_OPERATIONS, MAX_REVISION } from './transaction_rules.ts';
