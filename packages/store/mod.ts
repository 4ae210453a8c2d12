export type { EtcdOptions, EtcdTls, StoreLogger } from './etcd_client.ts';
export { openEtcd } from './etcd_store.ts';
export { MemoryStore } from './memory_store.ts';
export * from './store.ts';
export { MAX_OPERATIONS, MAX_REVISION } from './transaction_rules.ts';
