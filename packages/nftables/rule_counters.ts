// Counters of a table's rules, straight from the kernel: a listing by libnftables would read every set as well.
import { withNetns } from '@calico/netlink';
import { RuleReader } from './rule_reader.ts';

/** A rule that counts. */
export type RuleCounter = {
  readonly chain: string;
  /** '' without one. */
  readonly comment: string;
  readonly packets: bigint;
  readonly bytes: bigint;
};

/** Of one table of family inet. */
export interface RuleCounters {
  /** In the order of each chain; none when there is no table. Throws NetlinkError. */
  read(): RuleCounter[];
  close(): void;
}

/** `netns`: path of a network namespace; undefined: the one this process is in. Throws NetlinkError. */
export function openRuleCounters(options: {
  readonly table: string;
  readonly netns?: string | undefined;
}): RuleCounters {
  const { table, netns } = options;
  const open = (): RuleReader => new RuleReader(table);
  const reader = netns === undefined ? open() : withNetns(netns, open);
  return {
    read: () =>
      reader
        .read()
        .flatMap(({ chain, comment, counted }) =>
          counted ? [{ chain, comment, ...counted }] : [],
        ),
    close: () => reader.close(),
  };
}
