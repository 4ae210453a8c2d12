import type { Address } from '@calico/ip';

/** Whom to tell, and what. */
export type BmpSettings = {
  readonly address: Address;
  readonly port: number;
  readonly prePolicy: boolean;
  readonly postPolicy: boolean;
  readonly locRib: boolean;
  /** Between two reports of statistics; undefined: none. */
  readonly statisticsMs: number | undefined;
};
