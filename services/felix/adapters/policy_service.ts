// What PolicyService stands on, put together: what is enforced, counters, connections.
import type { Clock } from '@calico/clock';
import { openPacketLog, openRuleCounters } from '@calico/nftables';
import type { PolicyService } from '@calico/proto/felix/v1/policy';
import type { ServiceHandlers } from '@calico/rpc';
import type { Metrics } from '@calico/telemetry';
import { DENIED_GROUP } from '../core/policy/compiler/chains.ts';
import type { ConnectionTable, Log, PacketFilter } from '../ports.ts';
import { DeniedLog } from './denied_log.ts';
import { PolicyCounters } from './policy_counters.ts';
import { createPolicyHandlers, type EnforcedPolicy } from './policy_handlers.ts';
import type { TraceSources } from './policy_trace.ts';

export type PolicyServiceParts = TraceSources & {
  readonly packetFilter: PacketFilter;
  readonly connections: ConnectionTable;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the reading of counters and of denied packets. */
  readonly signal: AbortSignal;
};

/** Throws NetlinkError when the kernel's packet filter cannot be reached. */
export function openPolicyService(parts: PolicyServiceParts): {
  readonly handlers: ServiceHandlers<typeof PolicyService>;
  readonly close: () => void;
} {
  const { packetFilter, metrics, clock, log, signal } = parts;
  let current: EnforcedPolicy | undefined;
  packetFilter.onCommitted((ruleset, inputs) => {
    current = { ruleset, inputs };
  });
  const enforced = (): EnforcedPolicy | undefined => current;
  const counters = openRuleCounters({ table: 'calico' });
  const reader = new PolicyCounters({
    counters,
    enforced,
    packets: metrics.counter('felix_policy_packets_total', 'First packets that rules decided on'),
    bytes: metrics.counter('felix_policy_bytes_total', 'Bytes of those packets'),
    clock,
    log,
    signal,
  });
  void reader.run();
  const denied = new DeniedLog({
    open: () => openPacketLog({ group: DENIED_GROUP }),
    inputs: () => current?.inputs,
    ruleset: () => current?.ruleset,
    log,
    clock,
    signal,
  });
  void denied.run();
  const stats = () => reader.read();
  return {
    handlers: createPolicyHandlers({ ...parts, enforced, stats }),
    close: () => counters.close(),
  };
}
