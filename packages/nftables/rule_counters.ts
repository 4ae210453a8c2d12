// Counters of a table's rules, straight from the kernel: a listing by libnftables would read every set as well.
import { withNetns } from '@calico/netlink';
import { RuleReader } from './rule_reader.ts';

/** A rule that counts, or a counter of a counter map. */
export type RuleCounter = {
  /** Of the rule; '' for a counter of a map. */
  readonly chain: string;
  /** Name of the counter; '' for a rule. */
  readonly counter: string;
  /** '' without one. */
  readonly comment: string;
  readonly packets: bigint;
  readonly bytes: bigint;
};

/** Of one table of family inet. */
export interface RuleCounters {
  /** Rules in the order of each chain, then counters; none when there is no table. Throws NetlinkError. */
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
    read: () => [
      ...reader
        .read()
        .flatMap(({ chain, comment, counted }) =>
          counted ? [{ chain, counter: '', comment, ...counted }] : [],
        ),
      ...reader
        .readCounters()
        .map(({ name, comment, counted }) => ({ chain: '', counter: name, comment, ...counted })),
    ],
    close: () => reader.close(),
  };
}
