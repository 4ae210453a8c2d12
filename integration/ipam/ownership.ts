// Asks the program beside for the owners of all addresses over the whole history of a lab's etcd.
import assert from 'node:assert/strict';
import { exec, inNamespace, runtimeCommand } from '../lab/mod.ts';

export type OwnershipHistory = {
  readonly revisions: number;
  /** Revisions that changed addresses or endpoints. */
  readonly looked: number;
  readonly faults: readonly string[];
};

/** @param namespace where etcd listens on 127.0.0.1:2379 */
export async function ownershipHistory(namespace: string): Promise<OwnershipHistory> {
  const command = runtimeCommand('node', 'integration/ipam/ownership_history.ts');
  const endpoints = 'ETCD_ENDPOINTS=http://127.0.0.1:2379';
  const { stdout, stderr } = await exec(inNamespace(namespace, ['env', endpoints, ...command]), {
    timeoutMs: 600_000,
  });
  assert.match(stdout, /^\{/, stderr);
  return JSON.parse(stdout) as OwnershipHistory;
}
