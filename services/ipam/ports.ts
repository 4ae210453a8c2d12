// What the service needs from outside.
import type { Store } from '@calico/store';

/** Reads and transactions; the service holds no watch and no lease. */
export type RecordStore = Pick<Store, 'get' | 'list' | 'commit'>;

/** A number from 0 up to 1, for spreading retries. */
export type Random = () => number;
