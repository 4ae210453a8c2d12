export { carriedOut } from './carried_out.ts';
export type { ForeignChange } from './change_watch.ts';
export { diff } from './diff.ts';
export { NftablesError } from './errors.ts';
export { FILTER_FEATURES, type FilterFeature, missingFilterFeatures } from './kernel_trial.ts';
export { type Nftables, type NftablesOptions, openNftables } from './nftables.ts';
export { type LoggedPacket, openPacketLog, type PacketLog } from './packet_log.ts';
export {
  openPacketTrace,
  type PacketTrace,
  type PacketTraceOptions,
  type TracedPacket,
  type TraceStep,
} from './packet_trace.ts';
export { openRuleCounters, type RuleCounter, type RuleCounters } from './rule_counters.ts';
export * from './ruleset.ts';
export { ruleText, transactionText } from './text.ts';
